import { create, toBinary } from "@bufbuild/protobuf";
import { DurationSchema } from "@bufbuild/protobuf/wkt";
import {
  CircuitBreakers_Thresholds_RetryBudgetSchema,
  type CircuitBreakers_Thresholds_RetryBudget,
  type CircuitBreakers_ThresholdsSchema,
} from "@signalbox/envoy-api/envoy/config/cluster/v3/circuit_breaker";
import type { UpstreamConnectionOptionsSchema } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import type { ConnectionPool } from "@signalbox/istio-objects";
import type { PortPolicy } from "@signalbox/traffic";
import type { TcpKeepalive } from "../mesh.ts";
import { duration, type Init } from "../messages.ts";
import { youngerField } from "./younger-field.ts";

/** The largest of Envoy's limits: so to say none. */
export const unlimited = 0xffff_ffff;

/** Limits of a cluster. A number that the rule does not give, or gives as 0, is no limit, as in Istio. */
export function thresholds(
  policy: Pick<PortPolicy, "connectionPool" | "retryBudget">,
): Init<typeof CircuitBreakers_ThresholdsSchema> {
  const { http, tcp } = policy.connectionPool ?? {};
  const budget = policy.retryBudget;
  return {
    maxConnections: limit(tcp?.maxConnections),
    maxPendingRequests: limit(http?.http1MaxPendingRequests),
    maxRequests: limit(http?.http2MaxRequests),
    maxRetries: limit(http?.maxRetries),
    ...(budget === undefined ? {} : { retryBudget: retryBudget(budget) }),
  };
}

/** Istio's defaults are 20 percent and 3 retries. */
function retryBudget(rule: NonNullable<PortPolicy["retryBudget"]>): CircuitBreakers_Thresholds_RetryBudget {
  const budget = create(CircuitBreakers_Thresholds_RetryBudgetSchema, {
    budgetPercent: { value: rule.percent ?? 20 },
    minRetryConcurrency: rule.minRetryConcurrency > 0 ? rule.minRetryConcurrency : 3,
  });
  if (rule.budgetInterval !== undefined)
    budget.$unknown = [youngerField(budgetIntervalField, toBinary(DurationSchema, duration(rule.budgetInterval)))];
  return budget;
}

/** `RetryBudget.budget_interval`. */
const budgetIntervalField = 3;

/**
 * TCP keepalive of connections to endpoints: the mesh's, with what the rule says put over it member by member. Undefined where neither
 * says anything: then Envoy leaves it to the system. Envoy counts whole seconds.
 */
export function keepalive(
  mesh: TcpKeepalive | undefined,
  pool?: ConnectionPool,
): Init<typeof UpstreamConnectionOptionsSchema> | undefined {
  const own = pool?.tcp?.tcpKeepalive;
  if (mesh === undefined && own === undefined) return undefined;
  const probes = own !== undefined && own.probes > 0 ? own.probes : (mesh?.probes ?? 0);
  const time = own?.time ?? mesh?.time;
  const interval = own?.interval ?? mesh?.interval;
  return {
    tcpKeepalive: {
      ...(probes > 0 ? { keepaliveProbes: probes } : {}),
      ...(time === undefined ? {} : { keepaliveTime: Math.floor(time / 1000) }),
      ...(interval === undefined ? {} : { keepaliveInterval: Math.floor(interval / 1000) }),
    },
  };
}

function limit(value: number | undefined): number {
  return value !== undefined && value > 0 ? value : unlimited;
}
