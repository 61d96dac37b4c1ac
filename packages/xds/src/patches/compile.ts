import { create, fromJson, type DescMessage, type JsonObject, type JsonValue, type Message } from "@bufbuild/protobuf";
import { anyRegistry } from "@signalbox/envoy-api";
import { ClusterSchema } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import { TypedExtensionConfigSchema } from "@signalbox/envoy-api/envoy/config/core/v3/extension";
import { ListenerSchema } from "@signalbox/envoy-api/envoy/config/listener/v3/listener";
import {
  FilterChainSchema,
  FilterSchema,
  ListenerFilterSchema,
} from "@signalbox/envoy-api/envoy/config/listener/v3/listener_components";
import { RouteConfigurationSchema } from "@signalbox/envoy-api/envoy/config/route/v3/route";
import { RouteSchema, VirtualHostSchema } from "@signalbox/envoy-api/envoy/config/route/v3/route_components";
import { HttpFilterSchema } from "@signalbox/envoy-api/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager";
import { re2Fault, type ConfigPatch } from "@signalbox/istio-objects";
import type { EnvoyPatch } from "@signalbox/traffic";
import { firstViolation } from "./validity.ts";
import { versionMatcher } from "./version-match.ts";

/** What a patch is applied to, without those that have no effect on resources. */
export type PatchTarget = keyof typeof targets;
/** What a patch does. */
export type PatchOperation = NonNullable<ConfigPatch["patch"]>["operation"];
/** Which objects a patch is for. */
export type PatchMatch = NonNullable<ConfigPatch["match"]>;

/** The message of each target. */
export const targets = {
  LISTENER: ListenerSchema,
  FILTER_CHAIN: FilterChainSchema,
  NETWORK_FILTER: FilterSchema,
  HTTP_FILTER: HttpFilterSchema,
  LISTENER_FILTER: ListenerFilterSchema,
  ROUTE_CONFIGURATION: RouteConfigurationSchema,
  VIRTUAL_HOST: VirtualHostSchema,
  HTTP_ROUTE: RouteSchema,
  CLUSTER: ClusterSchema,
  EXTENSION_CONFIG: TypedExtensionConfigSchema,
} as const;

/** What cannot be used of a patch, or of a resource with its patches. */
export interface PatchFault {
  /** `<namespace>/<name>` of the EnvoyFilter; empty for a fault of a resource. */
  readonly object: string;
  /** Of a fault of a resource, the EnvoyFilters that changed it, each once. */
  readonly by?: readonly string[];
  /** Place of the patch among those of its object; -1 for a fault of a resource. */
  readonly patch: number;
  /** Where in the patch or the resource. */
  readonly path: string;
  readonly message: string;
}

/** A patch whose value was read by its type. */
export interface CompiledPatch {
  readonly object: string;
  readonly index: number;
  readonly target: PatchTarget;
  readonly operation: PatchOperation;
  readonly match: PatchMatch | undefined;
  /** Whether it is for proxies of this version of Istio; undefined where it is for all. */
  readonly version: ((version: string) => boolean) | undefined;
  /** The message of the target's type; the empty one for a removal. */
  readonly value: Message;
}

/** Patches in the order in which they are applied, and what was left out. */
export interface CompiledPatches {
  readonly patches: readonly CompiledPatch[];
  /** Of patches that were left out, and of those with something that is not known. */
  readonly faults: readonly PatchFault[];
  /** Patches that are in order and do nothing, as in Istio. */
  readonly withoutEffect: readonly PatchFault[];
  /** Names of node metadata that patches ask for. Sorted. */
  readonly metadataKeys: readonly string[];
}

/** Istio's bound; a longer expression matches no proxy. */
const maximumVersionExpression = 1024;

const inserts: ReadonlySet<string> = new Set(["INSERT_BEFORE", "INSERT_AFTER", "INSERT_FIRST"]);
const ordered: ReadonlySet<string> = new Set(["HTTP_FILTER", "NETWORK_FILTER", "HTTP_ROUTE", "LISTENER_FILTER"]);
const filterOperations = ["ADD", "REMOVE", "MERGE", "REPLACE", ...inserts];
const merges = ["MERGE", "MERGE_AND_REPLACE_LIST"];
const effective: Readonly<Record<PatchTarget, readonly string[]>> = {
  LISTENER: ["ADD", "REMOVE", ...merges],
  FILTER_CHAIN: ["ADD", "REMOVE", ...merges],
  NETWORK_FILTER: filterOperations,
  HTTP_FILTER: filterOperations,
  LISTENER_FILTER: filterOperations,
  ROUTE_CONFIGURATION: merges,
  VIRTUAL_HOST: ["ADD", "REMOVE", "REPLACE", ...merges],
  HTTP_ROUTE: ["ADD", "REMOVE", ...merges, ...inserts],
  CLUSTER: ["ADD", "REMOVE", ...merges],
  EXTENSION_CONFIG: ["ADD"],
};

/**
 * Reads patches by type. One that Envoy would refuse is left out and reported: wrong types, and, where it is a whole object, broken rules. Of
 * fields that are not known here only these are left out. A packed message of a type that is not known here goes to Envoy as `xds.type.v3.TypedStruct`. Never throws.
 */
export function compilePatches(patches: readonly EnvoyPatch[]): CompiledPatches {
  const compiled: CompiledPatch[] = [];
  const faults: PatchFault[] = [];
  const withoutEffect: PatchFault[] = [];
  const keys = new Set<string>();
  const counts = new Map<string, number>();
  for (const { object, patch } of patches) {
    const index = counts.get(object) ?? 0;
    counts.set(object, index + 1);
    const report = (list: PatchFault[], path: string, message: string) =>
      void list.push({ object, patch: index, path, message });
    const read = compileOne(object, index, patch);
    if ("idle" in read) report(withoutEffect, "", read.idle);
    else if ("fault" in read) report(faults, read.path, read.fault);
    else {
      const { unknown, ...one } = read;
      if (unknown !== undefined) report(faults, "patch.value", unknown);
      compiled.push(one);
      for (const key of Object.keys(read.match?.proxy?.metadata ?? {})) keys.add(key);
    }
  }
  return { patches: compiled, faults, withoutEffect, metadataKeys: [...keys].sort() };
}

type Read =
  | (CompiledPatch & { readonly unknown?: string })
  | { readonly idle: string }
  | { readonly fault: string; readonly path: string };

function compileOne(object: string, index: number, { applyTo, match, patch }: ConfigPatch): Read {
  if (patch === undefined) return { fault: "has no patch", path: "patch" };
  if (applyTo === "BOOTSTRAP") return { idle: "a bootstrap is not sent to proxies: the patch has no effect" };
  const target = targetOf(applyTo);
  if (target === undefined) return { fault: "applies to nothing known", path: "applyTo" };
  if (match?.context === "WAYPOINT") return { idle: "there are no waypoints here: the patch has no effect" };
  const wanted = patch.operation;
  const operation = inserts.has(wanted) && !ordered.has(target) ? "ADD" : wanted;
  if (operation === "INVALID") return { fault: "has no operation", path: "patch.operation" };
  if (!effective[target].includes(operation)) return { idle: `${operation} has no effect on ${target}` };
  const version = versionOf(match?.proxy?.proxyVersion ?? "");
  if (typeof version === "string") return { fault: version, path: "match.proxy.proxyVersion" };
  const common = { object, index, target, operation, match, version };
  const schema: DescMessage = targets[target];
  if (operation === "REMOVE") return { ...common, value: create(schema) };
  if (!isRecord(patch.value)) return { fault: "is required", path: "patch.value" };
  try {
    const { unknown, value } = readValue(schema, withOpaque(patch.value));
    const whole = operation !== "MERGE" && operation !== "MERGE_AND_REPLACE_LIST";
    const violation = whole ? firstViolation(schema, value) : undefined;
    if (violation !== undefined) return { fault: violation.message, path: `patch.value.${violation.path}` };
    return { ...common, value, ...(unknown === undefined ? {} : { unknown }) };
  } catch (error) {
    return { fault: textOf(error), path: "patch.value" };
  }
}

/** A value by its type, and what of it the type does not know: that is left out, as in Istio. Throws where it is of another type. */
function readValue(schema: DescMessage, json: JsonValue): { readonly value: Message; readonly unknown?: string } {
  try {
    return { value: fromJson(schema, json, { registry: anyRegistry }) };
  } catch (error) {
    const value = fromJson(schema, json, { registry: anyRegistry, ignoreUnknownFields: true });
    return { value, unknown: `${textOf(error)}: what is not known is left out` };
  }
}

/** The text of anything thrown. */
export function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function targetOf(applyTo: string): PatchTarget | undefined {
  return Object.hasOwn(targets, applyTo) ? (applyTo as PatchTarget) : undefined;
}

/** What is wrong with an expression, as a text; one that is too long matches nothing. */
function versionOf(expression: string): ((version: string) => boolean) | string | undefined {
  if (expression === "") return undefined;
  if (expression.length > maximumVersionExpression) return () => false;
  const fault = re2Fault(expression);
  if (fault !== undefined) return `is not a regular expression: ${fault}`;
  return versionMatcher(expression) ?? "has more of RE2 than is looked at here: use groups, classes and repetitions";
}

/** The value with every packed message of an unknown type as a typed struct, which Envoy reads by the name of its type. */
function withOpaque(value: JsonValue): JsonValue {
  if (Array.isArray(value)) return value.map(withOpaque);
  if (!isRecord(value)) return value;
  const { "@type": typeUrl, ...fields } = value;
  if (typeof typeUrl !== "string" || known(typeUrl))
    return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, withOpaque(field)]));
  if (/^(?:.*\/)?envoy\.(?:.*\.)?v2(?:alpha\d*)?\./.test(typeUrl))
    throw new Error(`${typeUrl} is of Envoy's API v2, which is gone: use the type of v3`);
  return { "@type": "type.googleapis.com/xds.type.v3.TypedStruct", typeUrl, value: fields };
}

function known(typeUrl: string): boolean {
  return anyRegistry.getMessage(typeUrl.slice(typeUrl.lastIndexOf("/") + 1)) !== undefined;
}

function isRecord(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
