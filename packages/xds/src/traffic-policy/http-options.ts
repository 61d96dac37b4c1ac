import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack, type Any } from "@bufbuild/protobuf/wkt";
import { MatchPredicateSchema } from "@signalbox/envoy-api/envoy/config/common/matcher/v3/matcher";
import type {
  HttpProtocolOptionsSchema as CommonOptionsSchema,
  Http2ProtocolOptionsSchema,
} from "@signalbox/envoy-api/envoy/config/core/v3/protocol";
import { HttpProtocolOptionsSchema } from "@signalbox/envoy-api/envoy/extensions/upstreams/http/v3/http_protocol_options";
import type { Protocol } from "@signalbox/model";
import type { ConnectionPool, OutlierDetection } from "@signalbox/istio-objects";
import { duration, type Init } from "../messages.ts";
import type { AutomaticNames } from "./tls.ts";
import { wrapped, youngerField } from "./younger-field.ts";

/** Which HTTP a cluster speaks to its endpoints. */
export type UpstreamHttp = "http1" | "http2" | "as-client";

type Http = NonNullable<ConnectionPool["http"]>;

const h2Protocols: ReadonlySet<Protocol> = new Set(["HTTP2", "GRPC", "GRPC-WEB"]);

/**
 * HTTP/2 where the port says so or the rule (for HTTP ports also the mesh) asks for the upgrade; what the client spoke where the port says
 * nothing or the rule wants it so; else HTTP/1.1.
 */
export function upstreamHttp(protocol: Protocol, http: Http | undefined, meshUpgrade: boolean): UpstreamHttp {
  if (http?.useClientProtocol === true) return "as-client";
  if (protocol === "UNSUPPORTED") return "as-client";
  if (h2Protocols.has(protocol) || http?.h2UpgradePolicy === "UPGRADE") return "http2";
  if (http?.h2UpgradePolicy === "DO_NOT_UPGRADE") return "http1";
  return meshUpgrade && protocol === "HTTP" ? "http2" : "http1";
}

/** What `httpOptions` is made of. */
export interface HttpOptionsInput {
  readonly upstream: UpstreamHttp;
  readonly pool: ConnectionPool | undefined;
  readonly outlierDetection: OutlierDetection | undefined;
  readonly names: AutomaticNames;
}

/** The HTTP options of a cluster; undefined where they would say no more than Envoy's defaults. */
export function httpOptions({ names, outlierDetection, pool, upstream }: HttpOptionsInput): Any | undefined {
  const common = commonOptions(pool);
  const codes = outlierDetection?.outlierDetectionHttpErrorCodes ?? [];
  const automatic = names.sni || names.san;
  if (upstream === "http1" && common === undefined && !automatic && codes.length === 0) return undefined;
  const options = create(HttpProtocolOptionsSchema, {
    ...(common === undefined ? {} : { commonHttpProtocolOptions: common }),
    ...(automatic ? { upstreamHttpProtocolOptions: { autoSni: names.sni, autoSanValidation: names.san } } : {}),
    upstreamProtocolOptions: protocolOptions(upstream, pool?.http),
  });
  if (codes.length > 0) options.$unknown = [youngerField(errorMatcherField, errorMatcher(codes))];
  return anyPack(HttpProtocolOptionsSchema, options);
}

function protocolOptions(
  upstream: UpstreamHttp,
  http: Http | undefined,
): NonNullable<Init<typeof HttpProtocolOptionsSchema>["upstreamProtocolOptions"]> {
  switch (upstream) {
    case "as-client":
      return {
        case: "useDownstreamProtocolConfig",
        value: { httpProtocolOptions: {}, http2ProtocolOptions: {} },
      };
    case "http2":
      return {
        case: "explicitHttpConfig",
        value: { protocolConfig: { case: "http2ProtocolOptions", value: http2Options(http) } },
      };
    case "http1":
      return {
        case: "explicitHttpConfig",
        value: { protocolConfig: { case: "httpProtocolOptions", value: {} } },
      };
  }
}

function http2Options(http: Http | undefined): Init<typeof Http2ProtocolOptionsSchema> {
  const keepAlive = http?.http2KeepAlive;
  return {
    ...(http !== undefined && http.maxConcurrentStreams > 0 ? { maxConcurrentStreams: http.maxConcurrentStreams } : {}),
    ...(keepAlive === undefined
      ? {}
      : {
          connectionKeepalive: {
            ...(keepAlive.interval === undefined ? {} : { interval: duration(keepAlive.interval) }),
            ...(keepAlive.timeout === undefined ? {} : { timeout: duration(keepAlive.timeout) }),
          },
        }),
  };
}

/** An idle timeout of HTTP goes before TCP's, which holds for HTTP connections too. */
function commonOptions(pool: ConnectionPool | undefined): Init<typeof CommonOptionsSchema> | undefined {
  const { http, tcp } = pool ?? {};
  const idleTimeout = http?.idleTimeout ?? tcp?.idleTimeout;
  const lifetime = tcp?.maxConnectionDuration;
  const requests = http?.maxRequestsPerConnection ?? 0;
  if (idleTimeout === undefined && lifetime === undefined && requests <= 0) return undefined;
  return {
    ...(idleTimeout === undefined ? {} : { idleTimeout: duration(idleTimeout) }),
    ...(lifetime === undefined ? {} : { maxConnectionDuration: duration(lifetime) }),
    ...(requests > 0 ? { maxRequestsPerConnection: requests } : {}),
  };
}

/** `HttpProtocolOptions.outlier_detection`. */
const errorMatcherField = 8;

/** Which responses are errors: those whose status is one of these. */
function errorMatcher(codes: readonly number[]): Uint8Array {
  const rules = codes.map((code) => ({
    rule: {
      case: "httpResponseHeadersMatch" as const,
      value: {
        headers: [
          {
            name: ":status",
            headerMatchSpecifier: {
              case: "stringMatch" as const,
              value: { matchPattern: { case: "exact" as const, value: String(code) } },
            },
          },
        ],
      },
    },
  }));
  const [only, ...more] = rules;
  const predicate = create(
    MatchPredicateSchema,
    only !== undefined && more.length === 0 ? only : { rule: { case: "orMatch", value: { rules } } },
  );
  return wrapped(1, toBinary(MatchPredicateSchema, predicate));
}
