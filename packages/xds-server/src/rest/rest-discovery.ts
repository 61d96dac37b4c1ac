import { create, fromJsonString, toJson, type JsonValue } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { anyRegistry, typeUrls, type TypeUrl } from "@signalbox/envoy-api";
import {
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
  type DiscoveryRequest,
} from "@signalbox/envoy-api/envoy/service/discovery/v3/discovery";
import { systemXdsClock, type XdsClock } from "../clock.ts";
import { byCodeUnits } from "../code-units.ts";
import { resourceKind } from "../protocol/resource-kinds.ts";
import type { Resource, ResourceView } from "../resource.ts";
import { SetVersion } from "../set-version.ts";
import type { ResourceSource } from "../source.ts";
import { HeldLeases } from "./held-leases.ts";

/** An HTTP answer. */
export interface RestResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** Options of `createRestDiscovery`. */
export interface RestDiscoveryOptions {
  readonly source: ResourceSource;
  /** Names in one request; 10,000 by default. */
  readonly maxNames?: number;
  /** Milliseconds for which a client's view is kept after its last poll; 30,000 by default. */
  readonly holdMs?: number;
  /** Clients whose views are kept; 1000 by default. Past it, that of the longest silent one is let go. */
  readonly maxHeld?: number;
  readonly clock?: XdsClock;
}

/**
 * Answers one `POST`. `undefined` when the path is none of `/v3/discovery:clusters|endpoints|listeners|routes|secrets`.
 * 200 with a DiscoveryResponse as JSON; 304 when the request's `version_info` is the current one; 400 with a reason when
 * the request is no DiscoveryRequest; 503 while nothing is known for the node.
 */
export interface RestDiscovery {
  (path: string, body: Uint8Array): Promise<RestResponse | undefined>;
  /** Lets go of all views that are kept for the next poll. Later requests are answered, and keep nothing. */
  close(): void;
}

const paths: ReadonlyMap<string, TypeUrl> = new Map([
  ["/v3/discovery:clusters", typeUrls.cluster],
  ["/v3/discovery:endpoints", typeUrls.endpoint],
  ["/v3/discovery:listeners", typeUrls.listener],
  ["/v3/discovery:routes", typeUrls.route],
  ["/v3/discovery:secrets", typeUrls.secret],
]);
interface CachedBody {
  readonly version: string;
  readonly body: string;
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** xDS by polling. Source: Envoy's xDS protocol documentation, "REST-JSON polling subscriptions". */
export function createRestDiscovery(options: RestDiscoveryOptions): RestDiscovery {
  const bodies = new WeakMap<ResourceView, Map<TypeUrl, CachedBody>>();
  const { source, maxNames = 10_000, holdMs = 30_000, maxHeld = 1_000, clock = systemXdsClock } = options;
  const held = new HeldLeases({ source, holdMs, maxHeld, clock });

  const answer = (path: string, body: Uint8Array): RestResponse | undefined => {
    const type = paths.get(path);
    if (type === undefined) return undefined;
    let request: DiscoveryRequest;
    try {
      request = fromJsonString(DiscoveryRequestSchema, utf8.decode(body), {
        registry: anyRegistry,
        ignoreUnknownFields: true,
      });
    } catch (error) {
      return text(400, `not a DiscoveryRequest: ${error instanceof Error ? error.message : String(error)}`);
    }
    if (request.typeUrl !== "" && request.typeUrl !== type) return text(400, `type_url is not ${type}`);
    if (request.resourceNames.length > maxNames) return text(400, `more than ${maxNames} resource names`);
    return held.use(request.node, (view) =>
      view === undefined ? text(503, "nothing is known for this node yet") : respond(view, type, request),
    );
  };

  const respond = (view: ResourceView, type: TypeUrl, request: DiscoveryRequest): RestResponse => {
    const names = new Set(request.resourceNames.filter((name) => name !== ""));
    const everything = names.has("*") || (request.resourceNames.length === 0 && resourceKind(type).legacyWildcard);
    const all = view.resources(type);
    const selected = everything ? [...all.values()] : [...names].flatMap((name) => all.get(name) ?? []);
    const version = everything ? view.version(type) : SetVersion.of(selected).toString();
    if (version === request.versionInfo) return { status: 304, headers: {}, body: "" };
    if (!everything) return json(encode(type, version, selected));
    const types = bodies.get(view) ?? new Map<TypeUrl, CachedBody>();
    bodies.set(view, types);
    let cached = types.get(type);
    if (cached?.version !== version) {
      cached = { version, body: encode(type, version, selected) };
      types.set(type, cached);
    }
    return json(cached.body);
  };

  // A promise, so that a source that throws rejects and does not throw through the HTTP server.
  const discovery = (path: string, body: Uint8Array): Promise<RestResponse | undefined> =>
    Promise.resolve().then(() => answer(path, body));
  return Object.assign(discovery, { close: () => held.close() });
}

const resourceJson = new WeakMap<Resource, JsonValue>();

function encode(type: TypeUrl, versionInfo: string, resources: readonly Resource[]): string {
  const response = toJson(DiscoveryResponseSchema, create(DiscoveryResponseSchema, { versionInfo, typeUrl: type }));
  const entries = [...resources].sort((a, b) => byCodeUnits(a.name, b.name)).map((resource) => anyJson(type, resource));
  return JSON.stringify({ ...(response as Record<string, JsonValue>), resources: entries });
}

function anyJson(type: TypeUrl, resource: Resource): JsonValue {
  let value = resourceJson.get(resource);
  if (value === undefined) {
    value = toJson(AnySchema, create(AnySchema, { typeUrl: type, value: resource.bytes }), { registry: anyRegistry });
    resourceJson.set(resource, value);
  }
  return value;
}

function json(body: string): RestResponse {
  return { status: 200, headers: { "content-type": "application/json" }, body };
}

function text(status: number, body: string): RestResponse {
  return { status, headers: { "content-type": "text/plain; charset=utf-8" }, body };
}
