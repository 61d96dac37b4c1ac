import {
  base64,
  bool,
  double,
  duration,
  enumOf,
  int32,
  listOf,
  mapOf,
  message,
  optional,
  text,
  uint32,
  type ValueOf,
} from "../proto-json.ts";
import { readDestination } from "./common.ts";

const readStringMatch = message({ exact: optional(text), prefix: optional(text), regex: optional(text) }, [
  "exact",
  "prefix",
  "regex",
]);
const readPercent = message({ value: double });
const readOperations = message({ set: mapOf(text), add: mapOf(text), remove: listOf(text) });
const readHeaders = message({ request: optional(readOperations), response: optional(readOperations) });

const readHttpMatch = message({
  name: text,
  uri: optional(readStringMatch),
  scheme: optional(readStringMatch),
  method: optional(readStringMatch),
  authority: optional(readStringMatch),
  headers: mapOf(readStringMatch),
  port: uint32,
  sourceLabels: mapOf(text),
  gateways: listOf(text),
  queryParams: mapOf(readStringMatch),
  ignoreUriCase: bool,
  withoutHeaders: mapOf(readStringMatch),
  sourceNamespace: text,
  statPrefix: text,
});

const readHttpRoute = message({
  name: text,
  match: listOf(readHttpMatch),
  route: listOf(message({ destination: optional(readDestination), weight: int32, headers: optional(readHeaders) })),
  redirect: optional(
    message(
      {
        uri: text,
        authority: text,
        port: optional(uint32),
        derivePort: optional(enumOf("FROM_PROTOCOL_DEFAULT", "FROM_REQUEST_PORT")),
        scheme: text,
        redirectCode: uint32,
        prefixRewrite: text,
      },
      ["port", "derivePort"],
    ),
  ),
  directResponse: optional(
    message({
      status: uint32,
      body: optional(message({ string: optional(text), bytes: optional(base64) }, ["string", "bytes"])),
    }),
  ),
  delegate: optional(message({ name: text, namespace: text })),
  rewrite: optional(
    message({ uri: text, authority: text, uriRegexRewrite: optional(message({ match: text, rewrite: text })) }),
  ),
  timeout: optional(duration),
  retries: optional(
    message({
      attempts: int32,
      perTryTimeout: optional(duration),
      retryOn: text,
      retryRemoteLocalities: optional(bool),
      retryIgnorePreviousHosts: optional(bool),
      backoff: optional(duration),
    }),
  ),
  fault: optional(
    message({
      delay: optional(
        message(
          {
            percent: int32,
            fixedDelay: optional(duration),
            exponentialDelay: optional(duration),
            percentage: optional(readPercent),
          },
          ["fixedDelay", "exponentialDelay"],
        ),
      ),
      abort: optional(
        message(
          {
            httpStatus: optional(int32),
            grpcStatus: optional(text),
            http2Error: optional(text),
            percentage: optional(readPercent),
          },
          ["httpStatus", "grpcStatus", "http2Error"],
        ),
      ),
    }),
  ),
  mirror: optional(readDestination),
  mirrors: listOf(message({ destination: optional(readDestination), percentage: optional(readPercent) })),
  mirrorPercent: optional(uint32),
  mirrorPercentage: optional(readPercent),
  corsPolicy: optional(
    message({
      allowOrigin: listOf(text),
      allowOrigins: listOf(readStringMatch),
      allowMethods: listOf(text),
      allowHeaders: listOf(text),
      exposeHeaders: listOf(text),
      maxAge: optional(duration),
      allowCredentials: optional(bool),
      unmatchedPreflights: enumOf("UNSPECIFIED", "FORWARD", "IGNORE"),
    }),
  ),
  headers: optional(readHeaders),
});

const readRouteDestination = message({ destination: optional(readDestination), weight: int32 });

const readTlsRoute = message({
  match: listOf(
    message({
      sniHosts: listOf(text),
      destinationSubnets: listOf(text),
      port: uint32,
      sourceLabels: mapOf(text),
      gateways: listOf(text),
      sourceNamespace: text,
    }),
  ),
  route: listOf(readRouteDestination),
});

const readTcpRoute = message({
  match: listOf(
    message({
      destinationSubnets: listOf(text),
      port: uint32,
      sourceSubnet: text,
      sourceLabels: mapOf(text),
      gateways: listOf(text),
      sourceNamespace: text,
    }),
  ),
  route: listOf(readRouteDestination),
});

/** Reads the fields of a VirtualService. */
export const readVirtualService = message({
  hosts: listOf(text),
  gateways: listOf(text),
  http: listOf(readHttpRoute),
  tls: listOf(readTlsRoute),
  tcp: listOf(readTcpRoute),
  exportTo: listOf(text),
});

/** `spec` of a VirtualService. Durations are milliseconds; fields have protobuf's defaults where they were absent. */
export type VirtualService = ValueOf<typeof readVirtualService>;
/** One rule for HTTP requests. */
export type HttpRoute = ValueOf<typeof readHttpRoute>;
/** What requests an HTTP rule is for. */
export type HttpMatch = ValueOf<typeof readHttpMatch>;
/** One rule for TLS connections that are passed on undecrypted. */
export type TlsRoute = ValueOf<typeof readTlsRoute>;
/** One rule for other connections. */
export type TcpRoute = ValueOf<typeof readTcpRoute>;
/** One target of a TLS or TCP rule with its share. */
export type RouteDestination = ValueOf<typeof readRouteDestination>;
/** How a text is compared. */
export type StringMatch = ValueOf<typeof readStringMatch>;
/** Header operations on requests and responses. */
export type HeadersPolicy = ValueOf<typeof readHeaders>;
