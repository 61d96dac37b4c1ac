import type { FaultDelaySchema } from "@signalbox/envoy-api/envoy/extensions/filters/common/fault/v3/fault";
import type {
  FaultAbortSchema,
  HTTPFaultSchema,
} from "@signalbox/envoy-api/envoy/extensions/filters/http/fault/v3/fault";
import type { HttpRoute } from "@signalbox/istio-objects";
import { duration, type Init } from "../messages.ts";
import { envoyStatus } from "./answers.ts";
import { exactPercent, wholePercent } from "./percent.ts";

type Fault = NonNullable<HttpRoute["fault"]>;

/** gRPC's statuses by name, in the order of their numbers. */
const grpcStatuses: readonly string[] = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
];

/**
 * Delays and failures that a rule asks for; undefined where none can be made. Fixed delays and aborts with an HTTP or gRPC status can, as in
 * Istio. Without a percentage nothing is delayed and nothing fails.
 */
export function faultOf(fault: Fault): Init<typeof HTTPFaultSchema> | undefined {
  const delay = delayOf(fault.delay);
  const abort = abortOf(fault.abort);
  if (delay === undefined && abort === undefined) return undefined;
  return { ...(delay === undefined ? {} : { delay }), ...(abort === undefined ? {} : { abort }) };
}

function delayOf(delay: Fault["delay"]): Init<typeof FaultDelaySchema> | undefined {
  const { fixedDelay = 0, percentage, percent = 0 } = delay ?? {};
  if (fixedDelay <= 0) return undefined;
  return {
    faultDelaySecifier: { case: "fixedDelay", value: duration(fixedDelay) },
    percentage: percentage === undefined ? wholePercent(percent) : exactPercent(percentage.value),
  };
}

function abortOf(abort: Fault["abort"]): Init<typeof FaultAbortSchema> | undefined {
  const percentage = exactPercent(abort?.percentage?.value ?? 0);
  if (abort?.httpStatus !== undefined)
    return { errorType: { case: "httpStatus", value: envoyStatus(abort.httpStatus) }, percentage };
  const grpc = grpcStatuses.indexOf(abort?.grpcStatus ?? "");
  return grpc < 0 ? undefined : { errorType: { case: "grpcStatus", value: grpc }, percentage };
}
