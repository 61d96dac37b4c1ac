import type { Any } from "@bufbuild/protobuf/wkt";
import { HTTPFaultSchema } from "@signalbox/envoy-api/envoy/extensions/filters/http/fault/v3/fault";
import { FractionalPercent_DenominatorType } from "@signalbox/envoy-api/envoy/type/v3/percent";
import type { Service } from "@signalbox/model";
import type { AppliedRules } from "./applied-rules.ts";
import type { MeshSettings } from "./mesh.ts";
import { packed } from "./messages.ts";
import { outboundCluster } from "./names.ts";
import { httpRoutes } from "./routing/http-routes.ts";
import { clusterAction, type RouteInit } from "./routes.ts";
import type { RouteActionInit } from "./routing/route-action.ts";

/** The filter that fails and delays calls as routes say. */
export const faultFilterName = "envoy.filters.http.fault";

/**
 * The routes that rules give a gRPC client at a port, in the form that all gRPC libraries take; undefined where no rule is for the port. They
 * read no query and no claims of a token: what matches these is never matched. They make no answers of their own: a direct response is a fault
 * with its status, and calls that are to be redirected fail. Of filters they know faults.
 */
export function grpcRuleRoutes(
  service: Service,
  rules: AppliedRules | undefined,
  port: number,
  settings: MeshSettings,
): readonly RouteInit[] | undefined {
  if (rules?.routing === undefined) return undefined;
  const routes = httpRoutes(rules.routing, { port, destinations: rules.destinations, settings });
  return routes.length === 0
    ? undefined
    : routes.filter(isReadable).map((route) => inGrpcForm(route, outboundCluster(port, service.hostname)));
}

/** Do any of these routes inject faults? */
export function injectsFaults(routes: readonly RouteInit[]): boolean {
  return routes.some(({ typedPerFilterConfig = {} }) => Object.hasOwn(typedPerFilterConfig, faultFilterName));
}

function isReadable({ match }: RouteInit): boolean {
  return (match?.queryParameters ?? []).length === 0 && (match?.dynamicMetadata ?? []).length === 0;
}

function inGrpcForm({ typedPerFilterConfig, ...route }: RouteInit, cluster: string): RouteInit {
  const { action } = route;
  const fault = action?.case === "route" ? typedPerFilterConfig?.[faultFilterName] : abortInPlaceOf(action);
  return {
    ...route,
    // Other actions are no way out: some clients refuse the whole table for them, and one kind ends with the program that it is in.
    action:
      action?.case === "route"
        ? { case: "route", value: inGrpcTime(action.value as RouteActionInit) }
        : { case: "route", value: clusterAction(cluster) },
    ...(fault === undefined ? {} : { typedPerFilterConfig: { [faultFilterName]: fault } }),
  };
}

/** gRPC libraries read the time of a route from `max_stream_duration` alone, beside which Envoy would not look at `timeout`. */
function inGrpcTime(action: RouteActionInit): RouteActionInit {
  const { timeout, ...rest } = action;
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- It is what rules for Envoys are written with.
  delete rest.maxGrpcTimeout;
  if (timeout === undefined) return rest;
  return { ...rest, maxStreamDuration: { maxStreamDuration: timeout, grpcTimeoutHeaderMax: timeout } };
}

function abortInPlaceOf(action: RouteInit["action"]): Any {
  const status = action?.case === "directResponse" ? action.value.status : undefined;
  return packed(HTTPFaultSchema, {
    abort: {
      errorType:
        status === undefined ? { case: "grpcStatus", value: unavailable } : { case: "httpStatus", value: status },
      percentage: { numerator: 100, denominator: FractionalPercent_DenominatorType.HUNDRED },
    },
  });
}

/** gRPC's status UNAVAILABLE. */
const unavailable = 14;
