import { describe, expect, it } from "vitest";
import { judge } from "./review.ts";

const valid = { hosts: ["web"], http: [{ route: [{ destination: { host: "web" } }] }] };

function review(request: object): object {
  return { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview", request: { uid: "u-1", ...request } };
}

function object(spec: object, metadata: object = {}): object {
  return {
    apiVersion: "networking.istio.io/v1",
    kind: "VirtualService",
    metadata: { name: "web", namespace: "shop", creationTimestamp: null, managedFields: [], ...metadata },
    spec,
  };
}

const kind = { group: "networking.istio.io", version: "v1", kind: "VirtualService" };
const create = { kind, operation: "CREATE" };
const wrong = object({ hosts: ["web"], http: [{ timeout: "-1s", route: [] }] });

describe("a review", () => {
  it.each([
    ["a valid object", { ...create, object: object(valid) }],
    [
      "an object whose name is yet to be made",
      { ...create, object: object(valid, { name: "", generateName: "web-" }) },
    ],
    [
      "another kind",
      { kind: { group: "apps", version: "v1", kind: "Deployment" }, operation: "CREATE", object: wrong },
    ],
    [
      "another group's kind of the same name",
      { kind: { group: "gateway.networking.k8s.io", version: "v1", kind: "Gateway" }, operation: "CREATE", object: {} },
    ],
    ["a deletion", { kind, operation: "DELETE", object: null, oldObject: wrong }],
    ["a subresource", { kind, operation: "UPDATE", subResource: "status", object: wrong }],
    [
      "an object that is being deleted",
      {
        kind,
        operation: "UPDATE",
        object: object({ hosts: [] }, { deletionTimestamp: "2026-01-01T00:00:00Z" }),
      },
    ],
  ])("allows %s", (_, request) => {
    expect(judge(review(request))).toMatchObject({ uid: "u-1", allowed: true, message: "", warnings: [] });
  });

  it.each(["CREATE", "UPDATE"])("refuses a wrong object at %s, and names its fields", (operation) => {
    const verdict = judge(review({ kind, operation, object: wrong }));
    expect(verdict).toMatchObject({ uid: "u-1", allowed: false, subject: "VirtualService shop/web" });
    expect(verdict).toHaveProperty(
      "message",
      expect.stringMatching(/^VirtualService shop\/web: .*spec\.http\[0\]\.timeout: /),
    );
  });

  it("refuses what Istio would serve and does not take", () => {
    const gateway = {
      host: "web",
      subsets: [
        { name: "v1", labels: {} },
        { name: "v1", labels: {} },
      ],
    };
    const asked = { ...object(gateway), kind: "DestinationRule" };
    const verdict = judge(review({ kind: { ...kind, kind: "DestinationRule" }, operation: "CREATE", object: asked }));
    expect(verdict).toMatchObject({ allowed: false });
  });

  it("allows with warnings what is probably not meant", () => {
    const route = [{ destination: { host: "web" } }];
    const spec = { hosts: ["web"], http: [{ route }, { route, match: [{ uri: { exact: "/a" } }] }] };
    const verdict = judge(review({ ...create, object: object(spec) }));
    expect(verdict).toMatchObject({ allowed: true });
    expect(verdict).toHaveProperty("warnings", [expect.stringContaining("spec.http[1]")]);
  });

  it("lists twenty faults and counts the others", () => {
    const http = Array.from({ length: 30 }, () => ({ timeout: "-1s", route: [{ destination: { host: "web" } }] }));
    const verdict = judge(review({ ...create, object: object({ hosts: ["web"], http }) }));
    expect(verdict).toHaveProperty("message", expect.stringMatching(/; and 10 more$/));
  });

  it.each([
    ["text", "x"],
    ["nothing", null],
    ["another version", { ...review(create), apiVersion: "admission.k8s.io/v1beta1" }],
    ["no request", { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview" }],
    ["no uid", review({ ...create, uid: "", object: object(valid) })],
    ["no operation", review({ kind, object: object(valid) })],
    ["no kind", review({ operation: "CREATE" })],
    ["no object", review(create)],
  ])("is malformed with %s", (_, body) => {
    expect(judge(body)).toHaveProperty("malformed");
  });
});
