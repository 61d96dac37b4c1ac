import { CorsPolicySchema } from "@signalbox/envoy-api/envoy/extensions/filters/http/cors/v3/cors";
import { HTTPFaultSchema } from "@signalbox/envoy-api/envoy/extensions/filters/http/fault/v3/fault";
import type { HttpMatch, HttpRoute } from "@signalbox/istio-objects";
import type { Routing } from "@signalbox/traffic";
import { packed } from "../messages.ts";
import type { RouteInit } from "../routes.ts";
import { directResponseAction, redirectAction } from "./answers.ts";
import { concerns, type RouteContext } from "./context.ts";
import { corsOf } from "./cors.ts";
import { faultOf } from "./fault.ts";
import { headerOperations } from "./header-operations.ts";
import { forward, type Forwarding } from "./route-action.ts";
import { isCatchAll, routeMatch } from "./route-match.ts";

/**
 * The routes of a VirtualService's HTTP rules for one listener, in order; none where no rule is for it: then the host is served as if there
 * were no rules. A rule with several matches gives a route for each. Nothing follows a route that takes every request.
 */
export function httpRoutes(routing: Routing, context: RouteContext): readonly RouteInit[] {
  const routes: RouteInit[] = [];
  for (const rule of routing.http) {
    const matches = rule.match.length === 0 ? [undefined] : rule.match.filter((match) => concerns(match, context));
    if (matches.length === 0) continue;
    const common = commonPart(rule, routing, context);
    for (const match of matches) {
      const route = { ...common, ...matchPart(rule, match) };
      routes.push(route);
      if (isCatchAll(route)) return routes;
    }
  }
  return routes;
}

/** What all routes of a rule share. */
function commonPart(rule: HttpRoute, routing: Routing, context: RouteContext): RouteInit {
  const { action, headers } = actionOf(rule, context);
  const filters = filterConfig(rule);
  return {
    action,
    ...headers,
    metadata: originOf(routing),
    ...(Object.keys(filters).length > 0 ? { typedPerFilterConfig: filters } : {}),
  };
}

function matchPart(rule: HttpRoute, match: HttpMatch | undefined): RouteInit {
  const { name = "", statPrefix = "" } = match ?? {};
  return {
    name: name === "" ? rule.name : `${rule.name}.${name}`,
    match: routeMatch(match),
    ...(statPrefix === "" ? {} : { statPrefix }),
  };
}

function actionOf(rule: HttpRoute, context: RouteContext): Forwarding {
  const { redirect, directResponse } = rule;
  const headers = headerOperations(rule.headers).fields;
  if (redirect !== undefined) return { action: redirectAction(redirect, context), headers };
  if (directResponse !== undefined) return { action: directResponseAction(directResponse), headers };
  return forward(rule, context);
}

function filterConfig({ fault, corsPolicy }: HttpRoute): NonNullable<RouteInit["typedPerFilterConfig"]> {
  const injected = fault === undefined ? undefined : faultOf(fault);
  return {
    ...(injected === undefined ? {} : { "envoy.filters.http.fault": packed(HTTPFaultSchema, injected) }),
    ...(corsPolicy === undefined ? {} : { "envoy.filters.http.cors": packed(CorsPolicySchema, corsOf(corsPolicy)) }),
  };
}

/** Where a route comes from, in the place and the words in which Istio's tools look for it. */
function originOf({ namespace, name }: Routing): NonNullable<RouteInit["metadata"]> {
  const config = `/apis/networking.istio.io/v1/namespaces/${namespace}/virtual-service/${name}`;
  return { filterMetadata: { istio: { config } } };
}
