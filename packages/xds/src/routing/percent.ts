import type { FractionalPercentSchema } from "@signalbox/envoy-api/envoy/type/v3/percent";
import { FractionalPercent_DenominatorType as Denominator } from "@signalbox/envoy-api/envoy/type/v3/percent";
import type { Init } from "../messages.ts";

type PercentInit = Init<typeof FractionalPercentSchema>;

/** A share in per cent to four places, the rest cut off as Istio does. */
export function exactPercent(percent: number): PercentInit {
  const millionths = Math.trunc(percent * 10_000);
  return { numerator: Math.min(Math.max(millionths, 0), 1_000_000), denominator: Denominator.MILLION };
}

/** A share in whole per cent. */
export function wholePercent(percent: number): PercentInit {
  return { numerator: Math.min(Math.max(percent, 0), 100), denominator: Denominator.HUNDRED };
}
