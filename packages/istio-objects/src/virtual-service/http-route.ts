import type { FaultList, ObjectPath } from "../fault.ts";
import type { HttpRoute } from "../schema/virtual-service.ts";
import { checkTargets } from "./destinations.ts";
import { checkHeaders, checkOneAuthority } from "./headers.ts";
import { checkDirectResponse, checkRedirect, checkRewrite } from "./http-actions.ts";
import { checkHttpMatch } from "./http-match.ts";
import { checkCors, checkInjection, checkMirrors, checkRetries } from "./http-traffic.ts";

/** What an HTTP rule's VirtualService says of it. */
export interface HttpRouteContext {
  /** Whether the rule is for gateways only. */
  readonly forGateways: boolean;
  /** Whether another VirtualService delegates to this one. */
  readonly delegated: boolean;
  /** Whether the object was made of Gateway API routes, which name destinations in another way. */
  readonly gatewaySemantics: boolean;
}

/** Checks one HTTP rule. */
export function checkHttpRoute(route: HttpRoute, path: ObjectPath, context: HttpRouteContext, faults: FaultList): void {
  checkActions(route, path, context, faults);
  for (const [index, match] of route.match.entries())
    checkHttpMatch(match, [...path, "match", index], context.forGateways, faults);
  checkHeaders(route.headers, [...path, "headers"], faults);
  checkCors(route, path, faults);
  checkInjection(route, path, faults);
  checkMirrors(route, path, faults);
  checkRedirect(route, path, faults);
  checkDirectResponse(route, path, faults);
  checkRetries(route, path, faults);
  checkRewrite(route, path, faults);
  checkOneAuthority(route.rewrite?.authority ?? "", route.headers, path, faults);
  checkTargets(route.route, [...path, "route"], faults, { anyHost: context.gatewaySemantics });
}

/** Checks that the rule does one thing with a request. */
function checkActions(
  route: HttpRoute,
  path: ObjectPath,
  { delegated }: Pick<HttpRouteContext, "delegated">,
  faults: FaultList,
): void {
  if (route.delegate !== undefined && !delegated) {
    if (route.redirect !== undefined) faults.error([...path, "redirect"], "cannot stand beside delegate");
    if (route.route.length > 0) faults.error([...path, "route"], "cannot stand beside delegate");
    return;
  }
  if (route.delegate !== undefined)
    faults.error([...path, "delegate"], "a VirtualService without hosts cannot delegate again");
  const action = route.redirect === undefined ? "directResponse" : "redirect";
  if (route[action] === undefined) {
    if (route.route.length === 0) faults.error(path, "needs route, redirect, directResponse or delegate");
  } else {
    if (route.route.length > 0) faults.error([...path, "route"], `cannot stand beside ${action}`);
    for (const other of ["fault", "rewrite", "directResponse"] as const) {
      if (other !== action && route[other] !== undefined)
        faults.error([...path, other], `cannot stand beside ${action}`);
    }
  }
  if (route.mirror !== undefined && route.mirrors.length > 0)
    faults.error([...path, "mirrors"], "cannot stand beside mirror");
}
