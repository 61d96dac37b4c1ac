import type {
  RetryPolicySchema,
  RetryPolicy_RetryHostPredicateSchema,
  RetryPolicy_RetryPrioritySchema,
} from "@signalbox/envoy-api/envoy/config/route/v3/route_components";
import { PreviousHostsPredicateSchema } from "@signalbox/envoy-api/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts";
import { PreviousPrioritiesConfigSchema } from "@signalbox/envoy-api/envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config";
import type { HttpRoute } from "@signalbox/istio-objects";
import { defaultRetryOn, type MeshSettings } from "../mesh.ts";
import { duration, packed, type Init } from "../messages.ts";

type RetryPolicyInit = Init<typeof RetryPolicySchema>;
type Retries = NonNullable<HttpRoute["retries"]>;

const otherHosts: Init<typeof RetryPolicy_RetryHostPredicateSchema> = {
  name: "envoy.retry_host_predicates.previous_hosts",
  configType: { case: "typedConfig", value: packed(PreviousHostsPredicateSchema, {}) },
};

/** After every second try, another locality's turn: Istio's number. */
const otherLocalities: Init<typeof RetryPolicy_RetryPrioritySchema> = {
  name: "envoy.retry_priorities.previous_priorities",
  configType: { case: "typedConfig", value: packed(PreviousPrioritiesConfigSchema, { updateFrequency: 2 }) },
};

/**
 * How a rule's requests are tried again: as the rule says, else as the mesh does; undefined for not at all. `sticky` requests shall stay with
 * the endpoint that their hash chose, so a retry may go there again unless the rule says otherwise.
 */
export function retryPolicy(
  retries: Retries | undefined,
  settings: MeshSettings,
  sticky: boolean,
): RetryPolicyInit | undefined {
  const { attempts, backoff, perTryTimeout, retryIgnorePreviousHosts, retryOn, retryRemoteLocalities } =
    retries ?? settings.retry;
  if (attempts <= 0) return undefined;
  const avoidPrevious = retryIgnorePreviousHosts ?? !sticky;
  return {
    ...conditions(retryOn),
    numRetries: attempts,
    hostSelectionRetryMaxAttempts: 5n,
    ...(avoidPrevious ? { retryHostPredicate: [otherHosts] } : {}),
    ...(retryRemoteLocalities === true ? { retryPriority: otherLocalities } : {}),
    ...(perTryTimeout === undefined ? {} : { perTryTimeout: duration(perTryTimeout) }),
    ...(backoff !== undefined && backoff > 0 ? { retryBackOff: { baseInterval: duration(backoff) } } : {}),
  };
}

const byStatus = "retriable-status-codes";

/** Envoy's conditions out of Istio's, in which a number is the status of an answer to try again. */
function conditions(retryOn: string): Pick<RetryPolicyInit, "retryOn" | "retriableStatusCodes"> {
  if (retryOn === "") return { retryOn: defaultRetryOn };
  const parts = retryOn.split(",").map((part) => part.trim());
  const names = parts.filter((part) => part !== "" && !isStatus(part));
  const retriableStatusCodes = parts.filter(isStatus).map(Number);
  if (retriableStatusCodes.length === 0) return { retryOn: names.join(",") };
  return { retryOn: (names.includes(byStatus) ? names : [...names, byStatus]).join(","), retriableStatusCodes };
}

/** Statuses with a name in HTTP: other numbers are no statuses to Istio. */
const statuses: ReadonlySet<number> = new Set(
  [
    [100, 103],
    [200, 208],
    [226, 226],
    [300, 305],
    [307, 308],
    [400, 418],
    [421, 426],
    [428, 429],
    [431, 431],
    [451, 451],
    [500, 508],
    [510, 511],
  ].flatMap(([first = 0, last = 0]) => Array.from({ length: last - first + 1 }, (_, index) => first + index)),
);

function isStatus(part: string): boolean {
  return /^\+?\d+$/.test(part) && statuses.has(Number(part));
}
