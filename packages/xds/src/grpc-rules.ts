import type { AppliedRules } from "./applied-rules.ts";
import type { MeshSettings } from "./mesh.ts";
import { httpRoutes } from "./routing/http-routes.ts";
import type { RouteInit } from "./routes.ts";

/** The filter that fails and delays calls as routes say. */
export const faultFilterName = "envoy.filters.http.fault";

/**
 * The routes that rules give a gRPC client at a port, in the form that all gRPC libraries take; undefined where no rule is for the port. They
 * read no query and no claims of a token: what matches these is never matched. Answers of the proxy's own are none of theirs: such calls
 * fail. Of filters they know faults.
 */
export function grpcRuleRoutes(
  rules: AppliedRules | undefined,
  port: number,
  settings: MeshSettings,
): readonly RouteInit[] | undefined {
  if (rules?.routing === undefined) return undefined;
  const routes = httpRoutes(rules.routing, { port, destinations: rules.destinations, settings });
  return routes.length === 0 ? undefined : routes.filter(isReadable).map(inGrpcForm);
}

/** Do any of these routes inject faults? */
export function injectsFaults(routes: readonly RouteInit[]): boolean {
  return routes.some(({ typedPerFilterConfig = {} }) => Object.hasOwn(typedPerFilterConfig, faultFilterName));
}

function isReadable({ match }: RouteInit): boolean {
  return (match?.queryParameters ?? []).length === 0 && (match?.dynamicMetadata ?? []).length === 0;
}

function inGrpcForm({ typedPerFilterConfig, ...route }: RouteInit): RouteInit {
  const fault = typedPerFilterConfig?.[faultFilterName];
  return {
    ...route,
    // Another action would have the client refuse the whole table.
    ...(route.action?.case === "route" ? {} : { action: { case: "nonForwardingAction", value: {} } }),
    ...(fault === undefined ? {} : { typedPerFilterConfig: { [faultFilterName]: fault } }),
  };
}
