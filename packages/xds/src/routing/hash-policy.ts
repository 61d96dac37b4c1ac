import type { RouteAction_HashPolicySchema } from "@signalbox/envoy-api/envoy/config/route/v3/route_components";
import type { LoadBalancer } from "@signalbox/istio-objects";
import { duration, type Init } from "../messages.ts";

/** What of a request chooses its endpoint, before it is encoded. */
export type HashPolicyInit = Init<typeof RouteAction_HashPolicySchema>;

/** What of a request chooses its endpoint where a load balancer hashes consistently; nothing for others. */
export function hashPolicies(loadBalancer: LoadBalancer | undefined): readonly HashPolicyInit[] {
  const { httpHeaderName, httpCookie, useSourceIp, httpQueryParameterName } = loadBalancer?.consistentHash ?? {};
  // Envoy takes no empty names.
  if (httpHeaderName !== undefined)
    return httpHeaderName === ""
      ? []
      : [{ policySpecifier: { case: "header", value: { headerName: httpHeaderName } } }];
  if (httpCookie !== undefined) {
    const { name, path, ttl, attributes } = httpCookie;
    if (name === "") return [];
    const value = {
      name,
      path,
      ...(ttl === undefined ? {} : { ttl: duration(ttl) }),
      attributes: attributes.filter((attribute) => attribute.name !== ""),
    };
    return [{ policySpecifier: { case: "cookie", value } }];
  }
  if (useSourceIp !== undefined)
    return [{ policySpecifier: { case: "connectionProperties", value: { sourceIp: useSourceIp } } }];
  if (httpQueryParameterName === undefined || httpQueryParameterName === "") return [];
  return [{ policySpecifier: { case: "queryParameter", value: { name: httpQueryParameterName } } }];
}
