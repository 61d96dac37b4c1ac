import type { FaultList, ObjectPath } from "../fault.ts";
import { durationFault, isWhole } from "../names.ts";
import type { HttpRoute } from "../schema/virtual-service.ts";
import { checkDestination } from "./destinations.ts";
import { corsHeaderFault } from "./header-names.ts";
import { statusFault } from "./http-actions.ts";
import { checkRegexMatch } from "./string-match.ts";

const grpcStatuses = new Set([
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
]);

/** Conditions of Envoy's `x-envoy-retry-on` and `x-envoy-retry-grpc-on` that Istio takes. */
const retryConditions = new Set([
  "5xx",
  "gateway-error",
  "reset",
  "reset-before-request",
  "connect-failure",
  "retriable-4xx",
  "refused-stream",
  "retriable-status-codes",
  "retriable-headers",
  "envoy-ratelimited",
  "http3-post-connect-failure",
  "cancelled",
  "deadline-exceeded",
  "internal",
  "resource-exhausted",
  "unavailable",
]);

/** The statuses of HTTP's registry, as first and last of each run: a retry may name any of them. */
const namedStatuses = [
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
] as const;

const corsMethods = new Set(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "CONNECT", "OPTIONS", "TRACE", "*"]);

/** Checks timeout and retries. */
export function checkRetries({ retries, timeout }: HttpRoute, path: ObjectPath, faults: FaultList): void {
  checkDuration(timeout, [...path, "timeout"], faults);
  if (retries === undefined) return;
  const at = [...path, "retries"];
  const { attempts, backoff, perTryTimeout, retryOn, retryRemoteLocalities } = retries;
  if (attempts < 0) faults.error([...at, "attempts"], "must not be negative");
  const configured = perTryTimeout !== undefined || retryOn !== "" || retryRemoteLocalities !== undefined;
  if (attempts === 0 && configured) faults.error([...at, "attempts"], "is 0, which turns retries off: remove the rest");
  checkDuration(perTryTimeout, [...at, "perTryTimeout"], faults);
  checkDuration(backoff, [...at, "backoff"], faults);
  const unknown = retryOn === "" ? undefined : retryOn.split(",").find((condition) => !isRetryCondition(condition));
  if (unknown !== undefined) faults.error([...at, "retryOn"], `"${unknown}" is neither a condition nor an HTTP status`);
}

function isRetryCondition(condition: string): boolean {
  if (retryConditions.has(condition)) return true;
  if (!/^[-+]?[0-9]+$/.test(condition)) return false;
  const status = Number(condition);
  return namedStatuses.some(([first, last]) => first <= status && status <= last);
}

/** Checks faults that are injected on purpose. */
export function checkInjection({ fault }: HttpRoute, path: ObjectPath, faults: FaultList): void {
  if (fault === undefined) return;
  const at = [...path, "fault"];
  const { abort, delay } = fault;
  if (abort === undefined && delay === undefined) faults.error(at, "needs abort or delay");
  if (abort !== undefined) checkAbort(abort, [...at, "abort"], faults);
  if (delay === undefined) return;
  checkShare(delay.percentage, [...at, "delay", "percentage"], faults);
  checkDuration(delay.fixedDelay, [...at, "delay", "fixedDelay"], faults);
  if (delay.exponentialDelay !== undefined)
    faults.error([...at, "delay", "exponentialDelay"], "is not supported: use fixedDelay");
}

type Abort = NonNullable<NonNullable<HttpRoute["fault"]>["abort"]>;

function checkAbort(abort: Abort, path: ObjectPath, faults: FaultList): void {
  const { grpcStatus, http2Error, httpStatus, percentage } = abort;
  checkShare(percentage, [...path, "percentage"], faults);
  if (grpcStatus !== undefined && !grpcStatuses.has(grpcStatus))
    faults.error([...path, "grpcStatus"], `"${grpcStatus}" is not a status of gRPC, such as UNAVAILABLE`);
  if (http2Error !== undefined) faults.error([...path, "http2Error"], "is not supported: use httpStatus");
  const status = httpStatus === undefined ? undefined : statusFault(httpStatus);
  if (status !== undefined) faults.error([...path, "httpStatus"], status);
  if ((grpcStatus ?? http2Error ?? httpStatus) === undefined)
    faults.warning(path, "aborts nothing: it has neither httpStatus nor grpcStatus");
}

function checkShare(share: Percent, path: ObjectPath, faults: FaultList): void {
  if (share === undefined || share.value === 0 || (share.value >= 0.0001 && share.value <= 100)) return;
  faults.error([...path, "value"], "must be 0, or from 0.0001 to 100");
}

type Percent = { readonly value: number } | undefined;

/** Checks the targets that get copies of requests. */
export function checkMirrors(route: HttpRoute, path: ObjectPath, faults: FaultList): void {
  const { mirror, mirrorPercent, mirrorPercentage, mirrors } = route;
  if (mirrorPercent !== undefined) {
    if (mirrorPercent > 100) faults.error([...path, "mirrorPercent"], "must be at most 100");
    faults.warning([...path, "mirrorPercent"], "is out of date: use mirrorPercentage");
  }
  checkMirrorShare(mirrorPercentage, [...path, "mirrorPercentage"], faults);
  if (mirror !== undefined) checkDestination(mirror, [...path, "mirror"], faults);
  for (const [index, { destination, percentage }] of mirrors.entries()) {
    const at = [...path, "mirrors", index];
    if (destination === undefined) {
      faults.error([...at, "destination"], "is required");
      continue;
    }
    checkDestination(destination, [...at, "destination"], faults);
    checkMirrorShare(percentage, [...at, "percentage"], faults);
  }
}

function checkMirrorShare(share: Percent, path: ObjectPath, faults: FaultList): void {
  if (share !== undefined && (share.value < 0 || share.value > 100))
    faults.error([...path, "value"], "must be from 0 to 100");
}

/** Checks what browsers of other origins may do. */
export function checkCors({ corsPolicy }: HttpRoute, path: ObjectPath, faults: FaultList): void {
  if (corsPolicy === undefined) return;
  const at = [...path, "corsPolicy"];
  for (const [index, origin] of corsPolicy.allowOrigins.entries()) {
    const match = origin.exact ?? origin.prefix ?? origin.regex ?? "";
    if (match === "") faults.error([...at, "allowOrigins", index], "needs exact, prefix or regex, and not empty");
    else checkRegexMatch(origin, [...at, "allowOrigins", index], faults);
  }
  for (const [index, method] of corsPolicy.allowMethods.entries()) {
    if (!corsMethods.has(method)) faults.error([...at, "allowMethods", index], `"${method}" is not a method of HTTP`);
  }
  for (const field of ["allowHeaders", "exposeHeaders"] as const) {
    for (const [index, name] of corsPolicy[field].entries()) {
      const fault = corsHeaderFault(name);
      if (fault !== undefined) faults.error([...at, field, index], fault);
    }
  }
  const { maxAge } = corsPolicy;
  checkDuration(maxAge, [...at, "maxAge"], faults);
  if (maxAge !== undefined && maxAge >= 0 && !isWhole(maxAge / 1000))
    faults.error([...at, "maxAge"], "must be whole seconds");
}

function checkDuration(milliseconds: number | undefined, path: ObjectPath, faults: FaultList): void {
  const fault = milliseconds === undefined ? undefined : durationFault(milliseconds);
  if (fault !== undefined) faults.error(path, fault);
}
