import { create, toJson } from "@bufbuild/protobuf";
import { anyRegistry } from "@signalbox/envoy-api";
import { RetryPolicySchema } from "@signalbox/envoy-api/envoy/config/route/v3/route_components";
import { describe, expect, it } from "vitest";
import { meshSettings, type HttpRetry } from "../mesh.ts";
import { retryPolicy } from "./retries.ts";
import { routingOf } from "./testing/sketch.ts";

function shownRetries(retries: object | undefined, sticky = false, mesh: HttpRetry = {}): unknown {
  const [rule] = routingOf({ http: [retries === undefined ? {} : { retries }] }).http;
  const policy = retryPolicy(rule?.retries, meshSettings({ defaultHttpRetryPolicy: mesh }), sticky);
  if (policy === undefined) return undefined;
  return toJson(RetryPolicySchema, create(RetryPolicySchema, policy), { registry: anyRegistry });
}

const usual = "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes";
const previousHosts = [{ name: "envoy.retry_host_predicates.previous_hosts" }];

describe("retries", () => {
  it("are two by default, at other hosts", () => {
    expect(shownRetries(undefined)).toMatchObject({
      retryOn: usual,
      numRetries: 2,
      retryHostPredicate: previousHosts,
      hostSelectionRetryMaxAttempts: "5",
    });
  });

  it.each([[{}], [{ attempts: 0 }], [{ attempts: 0, retryOn: "5xx" }]])("%j are none", (retries) => {
    expect(shownRetries(retries)).toBeUndefined();
  });

  it.each([
    ["", usual, undefined],
    ["5xx", "5xx", undefined],
    ["gateway-error, reset ,", "gateway-error,reset", undefined],
    ["503", "retriable-status-codes", [503]],
    ["5xx,404,429", "5xx,retriable-status-codes", [404, 429]],
    ["retriable-status-codes,503", "retriable-status-codes", [503]],
    ["999,5xx", "999,5xx", undefined],
    ["306,599", "306,599", undefined],
  ])("on %j are on %s with statuses %j", (retryOn, conditions, statuses) => {
    const policy = shownRetries({ attempts: 1, retryOn }) as { retryOn: string; retriableStatusCodes?: number[] };
    expect([policy.retryOn, policy.retriableStatusCodes]).toEqual([conditions, statuses]);
  });

  it.each([
    [undefined, false, previousHosts],
    [undefined, true, undefined],
    [true, true, previousHosts],
    [false, false, undefined],
  ])("with retryIgnorePreviousHosts %s and stickiness %s", (retryIgnorePreviousHosts, sticky, expected) => {
    const policy = shownRetries({ attempts: 1, retryIgnorePreviousHosts }, sticky) as { retryHostPredicate?: object[] };
    if (expected === undefined) expect(policy.retryHostPredicate).toBeUndefined();
    else expect(policy.retryHostPredicate).toMatchObject(expected);
  });

  it("have limits, pauses and other localities", () => {
    const retries = { attempts: 3, perTryTimeout: "0.25s", backoff: "50ms", retryRemoteLocalities: true };
    expect(shownRetries(retries)).toMatchObject({
      numRetries: 3,
      perTryTimeout: "0.250s",
      retryBackOff: { baseInterval: "0.050s" },
      retryPriority: {
        name: "envoy.retry_priorities.previous_priorities",
        typedConfig: { updateFrequency: 2 },
      },
    });
  });

  it("are those of the mesh, with all members, where the rule says nothing", () => {
    const mesh = { attempts: 4, backoff: "30ms", retryIgnorePreviousHosts: false, retryRemoteLocalities: true };
    const policy = shownRetries(undefined, false, mesh);
    expect(policy).toMatchObject({
      numRetries: 4,
      retryBackOff: { baseInterval: "0.030s" },
      retryPriority: { name: "envoy.retry_priorities.previous_priorities" },
    });
    expect(policy).not.toHaveProperty("retryHostPredicate");
    expect(shownRetries({ attempts: 1 }, false, mesh)).not.toHaveProperty("retryPriority");
  });

  it("of the mesh avoid earlier endpoints of sticky requests only where it says so", () => {
    expect(shownRetries(undefined, true)).not.toHaveProperty("retryHostPredicate");
    const avoided = shownRetries(undefined, true, { retryIgnorePreviousHosts: true });
    expect(avoided).toMatchObject({ retryHostPredicate: previousHosts });
  });

  it("have no pause of nothing, which Envoy refuses, and stay in their locality unless asked", () => {
    const policy = shownRetries({ attempts: 1, backoff: "0s", retryRemoteLocalities: false });
    expect(policy).not.toHaveProperty("retryBackOff");
    expect(policy).not.toHaveProperty("retryPriority");
  });
});
