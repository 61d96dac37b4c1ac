import { AnySchema } from "@bufbuild/protobuf/wkt";
import {
  RouteActionSchema,
  RouteSchema,
  VirtualHostSchema,
} from "@signalbox/envoy-api/envoy/config/route/v3/route_components";
import {
  HttpConnectionManagerSchema,
  RdsSchema,
} from "@signalbox/envoy-api/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager";
import type { Port, Service } from "@signalbox/model";
import { grpcConnectionManager, grpcDefaultRoute, grpcHostName } from "./grpc.ts";
import { encoded } from "./messages.ts";
import { outboundCluster } from "./names.ts";
import { ReverseWriter } from "./reverse-writer.ts";

/** Nothing that is written gives way to anybody else before it is finished, so one is enough. */
const writer = new ReverseWriter();

/** What listeners of gRPC clients share: all but their name, which stands in two places, and that of their route table. */
interface SharedListener {
  /** Of the connection manager, what stands behind its routes (field 3). */
  readonly filters: Uint8Array;
  /** Of what says where the routes are, what stands before their name (field 2). */
  readonly source: Uint8Array;
  /** Of the `Any` around the connection manager, what stands before its value (field 2). */
  readonly type: Uint8Array;
}

const sharedListeners = new Map<boolean, SharedListener>();

/** The bytes of `grpcListener`. */
export function encodeGrpcListener(name: string, routeTable: string, faults: boolean): Uint8Array {
  const { filters, source, type } = sharedListener(faults);
  writer.begin();
  writer.raw(filters);
  const behindRoutes = writer.length;
  writer.string(2, routeTable);
  writer.raw(source);
  writer.nested(3, behindRoutes);
  writer.string(2, name);
  writer.nested(2, 0);
  writer.raw(type);
  writer.nested(1, 0);
  writer.nested(19, 0);
  writer.string(1, name);
  return writer.finish();
}

function sharedListener(faults: boolean): SharedListener {
  let parts = sharedListeners.get(faults);
  if (parts === undefined) {
    const { httpFilters, routeSpecifier } = grpcConnectionManager("", "", faults);
    parts = {
      filters: encoded(HttpConnectionManagerSchema, { httpFilters }),
      source: encoded(RdsSchema, { ...routeSpecifier.value, routeConfigName: "" }),
      type: encoded(AnySchema, { typeUrl: `type.googleapis.com/${HttpConnectionManagerSchema.typeName}` }),
    };
    sharedListeners.set(faults, parts);
  }
  return parts;
}

/** What the routes of services without rules share: all but the cluster. */
interface SharedRoute {
  /** Of the route's action, what stands behind the cluster (field 1). */
  readonly action: Uint8Array;
  /** Of the route, what stands before its action (field 2) and behind it. */
  readonly match: Uint8Array;
  readonly route: Uint8Array;
  /** Of the virtual host, its domains, which stand between its name (field 1) and its routes (field 3). */
  readonly domains: Uint8Array;
}

let sharedRoute: SharedRoute | undefined;

/** The bytes of `grpcRoutes` for a port without rules. Most are such. */
export function encodeGrpcRoutes(service: Service, port: Port): Uint8Array {
  const { action, domains, match, route } = (sharedRoute ??= makeSharedRoute());
  const cluster = outboundCluster(port.number, service.hostname);
  writer.begin();
  writer.raw(route);
  const behindAction = writer.length;
  writer.raw(action);
  writer.string(1, cluster);
  writer.nested(2, behindAction);
  writer.raw(match);
  writer.nested(3, 0);
  writer.raw(domains);
  writer.string(1, grpcHostName(service, port));
  writer.nested(2, 0);
  writer.string(1, cluster);
  return writer.finish();
}

function makeSharedRoute(): SharedRoute {
  const { action, match, ...route } = grpcDefaultRoute("");
  return {
    action: encoded(RouteActionSchema, { ...action.value, clusterSpecifier: { case: undefined } }),
    match: encoded(RouteSchema, { match }),
    route: encoded(RouteSchema, route),
    domains: encoded(VirtualHostSchema, { domains: ["*"] }),
  };
}
