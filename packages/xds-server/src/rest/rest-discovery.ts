import { fromJsonString } from "@bufbuild/protobuf";
import { anyRegistry, typeUrls, type TypeUrl } from "@signalbox/envoy-api";
import {
  DiscoveryRequestSchema,
  type DiscoveryRequest,
} from "@signalbox/envoy-api/envoy/service/discovery/v3/discovery";
import { Slices } from "@signalbox/slices";
import { systemXdsClock, type XdsClock } from "../clock.ts";
import { resourceKind } from "../protocol/resource-kinds.ts";
import type { ResourceView } from "../resource.ts";
import { SetVersion } from "../set-version.ts";
import type { ResourceSource } from "../source.ts";
import { HeldLeases } from "./held-leases.ts";
import { responseBody } from "./response-body.ts";

/** An HTTP answer. */
export interface RestResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** JSON as bytes, or a text for people. */
  readonly body: string | Uint8Array;
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
  /**
   * Milliseconds for which a client waits while nothing is known for its node: its view may just be made; 900 by default. Envoy gives up
   * after the `request_timeout` of its configuration, which is 1 s where none is given.
   */
  readonly waitMs?: number;
  readonly clock?: XdsClock;
}

/**
 * Answers one `POST`. `undefined` when the path is none of `/v3/discovery:clusters|endpoints|listeners|routes|secrets`.
 * 200 with a DiscoveryResponse as JSON; 304 when the request's `version_info` is the current one; 400 with a reason when
 * the request is no DiscoveryRequest; 503 when nothing becomes known for the node in time.
 */
export interface RestDiscovery {
  (path: string, body: Uint8Array): Promise<RestResponse | undefined>;
  /** Lets go of all views that are kept for the next poll. Later requests are answered, wait for nothing, and keep nothing. */
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
  /** A promise while it is encoded: who asks for the same meanwhile waits for it. */
  readonly body: Uint8Array | Promise<Uint8Array>;
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** xDS by polling. Source: Envoy's xDS protocol documentation, "REST-JSON polling subscriptions". */
export function createRestDiscovery(options: RestDiscoveryOptions): RestDiscovery {
  const bodies = new WeakMap<ResourceView, Map<TypeUrl, CachedBody>>();
  const { source, maxNames = 10_000, holdMs = 30_000, maxHeld = 1_000, waitMs = 900, clock = systemXdsClock } = options;
  const held = new HeldLeases({ source, holdMs, maxHeld, waitMs, clock });
  const slices = new Slices(performance);

  const answer = async (path: string, body: Uint8Array): Promise<RestResponse | undefined> => {
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
    const view = await held.view(request.node);
    return view === undefined ? text(503, "nothing is known for this node yet") : respond(view, type, request);
  };

  const respond = async (view: ResourceView, type: TypeUrl, request: DiscoveryRequest): Promise<RestResponse> => {
    const names = new Set(request.resourceNames.filter((name) => name !== ""));
    const everything = names.has("*") || (request.resourceNames.length === 0 && resourceKind(type).legacyWildcard);
    const all = view.resources(type);
    const selected = everything ? [...all.values()] : [...names].flatMap((name) => all.get(name) ?? []);
    const version = everything ? view.version(type) : SetVersion.of(selected).toString();
    if (version === request.versionInfo) return { status: 304, headers: {}, body: "" };
    const encode = () => slices.run(responseBody(type, version, selected));
    return json(await (everything ? shared(view, type, version, encode) : encode()));
  };

  const shared = (
    view: ResourceView,
    type: TypeUrl,
    version: string,
    encode: () => Uint8Array | Promise<Uint8Array>,
  ): CachedBody["body"] => {
    const types = bodies.get(view) ?? new Map<TypeUrl, CachedBody>();
    bodies.set(view, types);
    const cached = types.get(type);
    if (cached?.version === version) return cached.body;
    const body = encode();
    types.set(type, { version, body });
    return body;
  };

  return Object.assign(answer, { close: () => held.close() });
}

function json(body: Uint8Array): RestResponse {
  return { status: 200, headers: { "content-type": "application/json" }, body };
}

function text(status: number, body: string): RestResponse {
  return { status, headers: { "content-type": "text/plain; charset=utf-8" }, body };
}
