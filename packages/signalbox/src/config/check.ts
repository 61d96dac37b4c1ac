import { isIP } from "node:net";
import { registryId, type RegistryId } from "@signalbox/model";
import { ConfigError, type ConfigFault } from "@signalbox/registry";
import { schemaFaults } from "@signalbox/registry/config";
import type { z } from "zod";
import { durationMs } from "./duration.ts";
import { placeKey, type Origins } from "./origins.ts";
import { configSchema, type SignalboxConfig } from "./schema.ts";
import { withdrawalFaults } from "./withdrawal.ts";

/** Either the checked configuration or what is wrong with it, never both. */
export type Checked =
  | { readonly config: SignalboxConfig; readonly faults?: undefined }
  | { readonly config?: undefined; readonly faults: readonly ConfigFault[] };

/**
 * Checks data against the schema of the configuration and fills in the defaults. Reports every fault at once. At the places in
 * `textual` (`JSON.stringify(path)`) text may stand for a number or a boolean: there an environment variable was put in. Values with an
 * origin are not shown in faults.
 */
export function checkConfig(
  data: unknown,
  textual: ReadonlySet<string> = new Set(),
  origins: Origins = new Map(),
): Checked {
  const first = configSchema.safeParse(data ?? {});
  if (first.success) return checked(first.data);
  const converted = convertTextual(data, first.error.issues, textual);
  const result = converted === undefined ? first : configSchema.safeParse(converted);
  if (result.success) return checked(result.data);
  const wordsFor = (path: readonly (string | number)[]) => origins.get(placeKey(path))?.words;
  return { faults: schemaFaults(configSchema, converted ?? data ?? {}, result.error.issues, { wordsFor }) };
}

/** Like `checkConfig`, for callers that have no file: throws a ConfigError that names every faulty field. */
export function parseConfig(data: unknown): SignalboxConfig {
  const result = checkConfig(data);
  if (result.faults !== undefined) throw new ConfigError(result.faults);
  return result.config;
}

/** What no schema says: two registries may not have one id, and plaintext beyond loopback must be asked for. */
function checked(config: SignalboxConfig): Checked {
  const faults: ConfigFault[] = [];
  const seen = new Map<string, string>();
  config.rules.forEach((rule, index) => {
    if (rule.files === undefined) return;
    const earlier = seen.get(rulesId(rule.files));
    if (earlier !== undefined)
      faults.push({ path: ["rules", index, "files"], message: `the same files as in ${earlier}` });
    else seen.set(rulesId(rule.files), `rules[${index}]`);
  });
  config.registries.forEach((entry, index) => {
    const id = registryId(entry.provider, entry.name);
    const earlier = seen.get(id);
    if (earlier !== undefined)
      faults.push({ path: ["registries", index, "name"], message: `${id} is taken by ${earlier}` });
    else seen.set(id, `registries[${index}]`);
    if (durationMs(entry.expireAfter) < durationMs(entry.staleAfter))
      faults.push({
        path: ["registries", index, "expireAfter"],
        message: `must not be shorter than staleAfter (${entry.staleAfter})`,
      });
  });
  config.rules.forEach((rule, index) => {
    if (rule.kubernetes !== undefined)
      faults.push({
        path: ["rules", index, "kubernetes"],
        message:
          "is not read here: a registry with provider kubernetes reads the cluster's Istio objects beside its services; add it to registries",
      });
  });
  const ofDrift = driftFaults(config);
  // Ranges are compared once they are ranges.
  faults.push(...busFaults(config.bus), ...ofDrift, ...(ofDrift.length === 0 ? withdrawalFaults(config) : []));
  const { plaintext, insecure } = config.xds;
  if (plaintext !== false && !isLoopback(plaintext.host) && !insecure)
    faults.push({
      path: ["xds", "plaintext", "host"],
      message: `${plaintext.host} is not loopback: use xds.tls, or set xds.insecure to true if the network is trusted`,
    });
  const { quietMs, maxMs } = config.aggregate.debounce;
  if (quietMs > maxMs)
    faults.push({ path: ["aggregate", "debounce", "quietMs"], message: `must not exceed maxMs (${maxMs})` });
  return faults.length === 0 ? { config } : { faults };
}

/** A cluster is named by a registry's id, and its ranges are ranges. A program may bring registries that are not in the file. */
function driftFaults({ drift }: SignalboxConfig): ConfigFault[] {
  return (drift?.clusters ?? []).flatMap(({ podCidrs, registry }, index) => [
    ...(/^[^/]+\/.+$/.test(registry)
      ? []
      : [
          {
            path: ["drift", "clusters", index, "registry"],
            message: `${registry} is no registry's id, such as kubernetes/main`,
          },
        ]),
    ...podCidrs.flatMap((cidr, place) =>
      isCidr(cidr)
        ? []
        : [
            {
              path: ["drift", "clusters", index, "podCidrs", place],
              message: `${cidr} is no range, such as 10.40.0.0/16`,
            },
          ],
    ),
  ]);
}

function isCidr(text: string): boolean {
  const [, address = "", prefix = ""] = /^(.+)\/(\d{1,3})$/.exec(text) ?? [];
  const family = isIP(address);
  return family !== 0 && Number(prefix) <= (family === 4 ? 32 : 128);
}

/** A way to log in is named once, and whole. */
function busFaults(bus: SignalboxConfig["bus"]): ConfigFault[] {
  if (bus.type === "in-process") return [];
  const { username, password } = bus;
  const alone = username !== undefined && password === undefined ? "username" : "password";
  const isHalf = (username === undefined) !== (password === undefined);
  // Redis has a user that needs no name.
  const half = isHalf && !(bus.type === "redis" && alone === "password");
  const ways = bus.type === "nats" ? [bus.credentials, bus.token, password].filter((way) => way !== undefined) : [];
  return [
    ...(half ? [{ path: ["bus", alone], message: "username and password go together" }] : []),
    ...(ways.length > 1
      ? [{ path: ["bus"], message: "give one of credentials, token, and username with password" }]
      : []),
  ];
}

/**
 * The registry that serves an entry of `rules`, named by its files: `static/rules:a.yaml`. Its place in the list is not part of the name,
 * so that taking out one entry leaves the others alone.
 */
export function rulesId(files: string | readonly string[]): RegistryId {
  return registryId("static", `rules:${[files].flat().join(",")}`);
}

/** Whether only this machine reaches the address. */
export function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}

function convertTextual(data: unknown, issues: readonly z.core.$ZodIssue[], textual: ReadonlySet<string>): unknown {
  const places = issues
    .flatMap((issue) => placesOf(issue, []))
    .map((path) => JSON.stringify(path))
    .filter((place) => textual.has(place));
  if (places.length === 0) return undefined;
  const copy: unknown = structuredClone(data);
  for (const place of places) convertAt(copy, JSON.parse(place) as (string | number)[]);
  return copy;
}

function placesOf(issue: z.core.$ZodIssue, prefix: readonly PropertyKey[]): PropertyKey[][] {
  const path = [...prefix, ...issue.path];
  if (issue.code !== "invalid_union") return [path];
  return [path, ...issue.errors.flat().flatMap((inner) => placesOf(inner, path))];
}

function convertAt(root: unknown, path: readonly (string | number)[]): void {
  let parent = root;
  for (const part of path.slice(0, -1)) parent = (parent as Record<string | number, unknown>)[part];
  const last = path.at(-1);
  if (last === undefined || typeof parent !== "object" || parent === null) return;
  const holder = parent as Record<string | number, unknown>;
  const text = holder[last];
  if (typeof text !== "string") return;
  if (/^-?\d{1,15}$/.test(text)) holder[last] = Number(text);
  else if (text === "true" || text === "false") holder[last] = text === "true";
}
