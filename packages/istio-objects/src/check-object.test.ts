import { describe, expect, it } from "vitest";
import { checkObject, isCheckedKind } from "./check-object.ts";
import { objectOf } from "./testing/valid-objects.ts";

const dryRun = "istio.io/dry-run";
const faultsOf = (kind: string, spec: unknown, annotations: Readonly<Record<string, string>>) =>
  checkObject(objectOf(kind, spec, annotations)).map(({ message, severity }) => `${severity}: ${message}`);

describe("checkObject", () => {
  it.each([
    ["Nothing", {}, { "internal.istio.io/parents": "HTTPRoute/a.b" }, "rejected: is for Istio's own use only"],
    ["Nothing", {}, { "internal.istio.io/webhook-always-reject": "" }, "rejected: is for Istio's own use only"],
    ["Nothing", {}, { [dryRun]: "true" }, "rejected: is for AuthorizationPolicies only"],
    [
      "AuthorizationPolicy",
      { action: "AUDIT" },
      { [dryRun]: "true" },
      "rejected: is for the actions ALLOW and DENY only",
    ],
    ["AuthorizationPolicy", { action: 1 }, { [dryRun]: "yes" }, "rejected: must be true or false"],
  ])("of a %s with the spec %j and the annotations %j it says: %s", (kind, spec, annotations, fault) => {
    expect(faultsOf(kind, spec, annotations)).toContain(fault);
  });

  it("takes other annotations, and a dry run of an AuthorizationPolicy that allows or denies", () => {
    expect(faultsOf("Nothing", {}, { "example.com/owner": "me" })).toEqual([]);
    expect(faultsOf("AuthorizationPolicy", {}, { [dryRun]: "True" })).toEqual([]);
  });

  it("knows the kinds whose spec it checks, and no member of every object", () => {
    expect(["DestinationRule", "ServiceEntry", "VirtualService", "WorkloadEntry"].every(isCheckedKind)).toBe(true);
    expect(["constructor", "__proto__", "Service"].some(isCheckedKind)).toBe(false);
  });
});
