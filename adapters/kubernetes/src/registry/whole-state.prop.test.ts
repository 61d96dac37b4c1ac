import { istioKinds } from "@signalbox/istio-objects";
import { registryId } from "@signalbox/model";
import { RecordingSink } from "@signalbox/registry/conformance";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readIstioObject } from "../convert/istio-object.ts";
import { readNamespace, readPod, readService } from "../convert/objects.ts";
import { WholeState } from "./whole-state.ts";

const context = {
  registry: registryId("kubernetes", "test"),
  cluster: "c",
  network: "",
  domain: "cluster.local",
  trustDomain: "cluster.local",
};
const choice = { include: [], exclude: [], selector: { mesh: "on" } };

const namespaces = fc.constantFrom("a", "b");
const names = fc.constantFrom("x", "y");
const kinds: fc.Arbitrary<string> = fc.constantFrom("Service", "Pod", "ServiceEntry", "WorkloadEntry", "Sidecar");
const gone = fc.record({
  what: kinds,
  namespace: namespaces,
  name: names,
});
const there = fc.record({
  put: kinds,
  namespace: namespaces,
  name: names,
  host: fc.constantFrom("x.a.svc.cluster.local", "Y.a.svc.cluster.local", "ext.test"),
  created: fc.constantFrom("2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"),
  address: fc.constantFrom("10.0.0.1", "10.0.0.2"),
});
const label = fc.record({ labelled: namespaces, mesh: fc.constantFrom("on", "off") });
type Of<A> = A extends fc.Arbitrary<infer T> ? T : never;
type Step = Of<typeof gone> | Of<typeof there> | Of<typeof label>;

function apply(state: WholeState, step: Step): void {
  if ("labelled" in step) {
    const item = readNamespace({ metadata: { name: step.labelled, labels: { mesh: step.mesh } } });
    state.kube.put("Namespace", step.labelled, item);
    return;
  }
  const key = `${step.namespace}/${step.name}`;
  if ("what" in step) {
    if (step.what === "Service" || step.what === "Pod") state.kube.remove(step.what, key);
    else state.istio.remove(step.what, key);
    return;
  }
  const { address, created, host, name, namespace, put } = step;
  const metadata = { name, namespace, creationTimestamp: created };
  if (put === "Service") {
    const spec = { clusterIP: address, ports: [{ name: "http", port: 80 }] };
    state.kube.put(
      "Service",
      key,
      readService({ metadata, spec }, () => {}),
    );
  } else if (put === "Pod") {
    state.kube.put("Pod", key, readPod({ metadata, spec: {}, status: { podIP: address } }));
  } else {
    const kind = istioKinds.find((one) => one.kind === put);
    if (kind === undefined) throw new Error(`there is no ${put}`);
    const specs = {
      ServiceEntry: {
        hosts: [host],
        ports: [{ number: 80, name: "http", protocol: "HTTP" }],
        resolution: "STATIC",
        endpoints: [{ address }],
      },
      WorkloadEntry: { address },
      Sidecar: { egress: [{ hosts: [`./${host}`] }] },
    };
    state.istio.put(readIstioObject({ metadata, spec: specs[put as keyof typeof specs] }, kind, context.registry));
  }
}

describe("the state of a cluster", () => {
  it("tells by deltas what a snapshot would tell, whatever comes, goes, and hides what else", () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.oneof(there, there, gone, label), { maxLength: 4 }), { maxLength: 12 }),
        (rounds) => {
          const state = new WholeState(context, choice);
          const fresh = new WholeState(context, choice);
          const told = new RecordingSink();
          told.push(state.snapshot());
          for (const steps of rounds) {
            for (const step of steps) {
              apply(state, step);
              apply(fresh, step);
            }
            const update = state.take();
            if (update !== undefined) told.push(update);
          }
          const whole = new RecordingSink();
          whole.push(fresh.snapshot());
          expect(told.records).toEqual(whole.records);
          expect(told.workloads).toEqual(whole.workloads);
          expect(told.objects).toEqual(whole.objects);
        },
      ),
      { numRuns: 300 },
    );
  });
});
