import type { CorsPolicySchema } from "@signalbox/envoy-api/envoy/extensions/filters/http/cors/v3/cors";
import type { HttpRoute } from "@signalbox/istio-objects";
import type { Init } from "../messages.ts";
import { wholePercent } from "./percent.ts";
import { stringMatcher } from "./string-match.ts";

type Cors = NonNullable<HttpRoute["corsPolicy"]>;

/**
 * Which pages of other origins may call. Of origins written both ways the newer form holds. Preflights of other origins go on to the service
 * unless the rule says otherwise, as in Istio.
 */
export function corsOf(cors: Cors): Init<typeof CorsPolicySchema> {
  const origins =
    cors.allowOrigins.length > 0
      ? cors.allowOrigins.flatMap((origin) => stringMatcher(origin) ?? [])
      : cors.allowOrigin.map((exact) => ({ matchPattern: { case: "exact" as const, value: exact } }));
  return {
    allowOriginStringMatch: origins,
    allowMethods: cors.allowMethods.join(","),
    allowHeaders: cors.allowHeaders.join(","),
    exposeHeaders: cors.exposeHeaders.join(","),
    forwardNotMatchingPreflights: cors.unmatchedPreflights !== "IGNORE",
    filterEnabled: { defaultValue: wholePercent(100) },
    ...(cors.maxAge === undefined ? {} : { maxAge: String(Math.trunc(cors.maxAge / 1000)) }),
    ...(cors.allowCredentials === undefined ? {} : { allowCredentials: cors.allowCredentials }),
  };
}
