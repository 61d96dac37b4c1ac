import { create } from "@bufbuild/protobuf";
import { AnySchema, anyUnpack } from "@bufbuild/protobuf/wkt";
import type { FilterSchema } from "@signalbox/envoy-api/envoy/config/listener/v3/listener_components";
import { GrpcWebSchema } from "@signalbox/envoy-api/envoy/extensions/filters/http/grpc_web/v3/grpc_web";
import {
  HttpConnectionManager_ForwardClientCertDetails,
  HttpConnectionManager_SetCurrentClientCertDetailsSchema as ClientCertDetailsSchema,
  HttpConnectionManagerSchema,
  HttpFilterSchema,
} from "@signalbox/envoy-api/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager";
import { httpConnectionManager } from "../filters.ts";
import { packed, type Init } from "../messages.ts";

/** What Istio's proxies call themselves in the `server` header. */
const serverName = "istio-envoy";

const webFilter = {
  name: "envoy.filters.http.grpc_web",
  configType: { case: "typedConfig", value: packed(GrpcWebSchema, {}) },
} as const;

/** What a router's HTTP needs beside its routes. */
export interface EdgeOptions {
  /** DYNAMIC_DNS clusters that the routes may choose. */
  readonly dynamicDns: readonly string[];
  /** Do clients speak gRPC-Web? */
  readonly grpcWeb: boolean;
}

/**
 * The HTTP connection manager of a router: the mesh's, but at the edge. The client's address is the connection's, not what a header says;
 * what a client claims of its certificate is replaced by what it proved.
 */
export function edgeConnectionManager(
  statPrefix: string,
  routeTable: string,
  { dynamicDns, grpcWeb }: EdgeOptions,
): Init<typeof FilterSchema> {
  const { configType, name } = httpConnectionManager(statPrefix, { rds: routeTable }, dynamicDns);
  const inner =
    configType?.case === "typedConfig"
      ? anyUnpack(create(AnySchema, configType.value), HttpConnectionManagerSchema)
      : undefined;
  if (name === undefined || inner === undefined) throw new Error("the mesh's connection manager cannot be read");
  if (grpcWeb) inner.httpFilters.unshift(create(HttpFilterSchema, webFilter));
  return {
    name,
    configType: {
      case: "typedConfig",
      value: packed(HttpConnectionManagerSchema, {
        ...inner,
        useRemoteAddress: true,
        serverName,
        forwardClientCertDetails: HttpConnectionManager_ForwardClientCertDetails.SANITIZE_SET,
        setCurrentClientCertDetails: create(ClientCertDetailsSchema, {
          subject: true,
          cert: true,
          dns: true,
          uri: true,
        }),
      }),
    },
  };
}
