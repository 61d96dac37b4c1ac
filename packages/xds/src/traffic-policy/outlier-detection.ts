import type { OutlierDetectionSchema } from "@signalbox/envoy-api/envoy/config/cluster/v3/outlier_detection";
import type { OutlierDetection } from "@signalbox/istio-objects";
import { duration, type Init } from "../messages.ts";

/**
 * When Envoy ejects endpoints. Errors in a row alone decide, as in Istio: success rates never do. What the rule leaves out has Envoy's
 * default.
 */
export function outlierDetection(rule: OutlierDetection): Init<typeof OutlierDetectionSchema> {
  const { baseEjectionTime, consecutive5xxErrors, consecutiveGatewayErrors, interval, maxEjectionPercent } = rule;
  return {
    enforcingSuccessRate: 0,
    ...(consecutive5xxErrors === undefined
      ? {}
      : { consecutive5xx: consecutive5xxErrors, enforcingConsecutive5xx: consecutive5xxErrors > 0 ? 100 : 0 }),
    ...(consecutiveGatewayErrors === undefined
      ? {}
      : {
          consecutiveGatewayFailure: consecutiveGatewayErrors,
          enforcingConsecutiveGatewayFailure: consecutiveGatewayErrors > 0 ? 100 : 0,
        }),
    ...(interval === undefined ? {} : { interval: duration(interval) }),
    ...(baseEjectionTime === undefined ? {} : { baseEjectionTime: duration(baseEjectionTime) }),
    ...(maxEjectionPercent > 0 ? { maxEjectionPercent } : {}),
    ...(rule.splitExternalLocalOriginErrors ? localOrigin(rule) : {}),
  };
}

function localOrigin({ consecutiveLocalOriginFailures: failures = 0 }: OutlierDetection) {
  return {
    splitExternalLocalOriginErrors: true,
    enforcingLocalOriginSuccessRate: 0,
    ...(failures > 0 ? { consecutiveLocalOriginFailure: failures, enforcingConsecutiveLocalOriginFailure: 100 } : {}),
  };
}
