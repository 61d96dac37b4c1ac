import fc from "fast-check";
import { expect, it } from "vitest";
import { fromBinary } from "@bufbuild/protobuf";
import { ClusterLoadAssignmentSchema } from "@signalbox/envoy-api/envoy/config/endpoint/v3/endpoint";
import { encoded } from "../messages.ts";
import { assignmentOf } from "../clusters.ts";
import { CompiledService } from "../compiled-service.ts";
import { encodeAssignment, groupWeight, localityGroups, type LocalityGroup } from "../endpoints.ts";
import { meshSettings } from "../mesh.ts";
import { entryOf } from "../testing/catalog.ts";
import { policyOf } from "../testing/rules.ts";
import { localityMatches, localityRule, placed } from "./locality.ts";
import { portPolicy } from "./port-policy.ts";

const part = fc.constantFrom("", "a", "b");
const locality = fc.record({ region: part, zone: part, subzone: part });
const labels = fc.dictionary(fc.constantFrom("version", "rack"), fc.constantFrom("1", "2"));
const instances = fc
  .array(
    fc.record({ locality, labels, weight: fc.integer({ min: 1, max: 50 }), priority: fc.integer({ min: 0, max: 2 }) }),
  )
  .map((all) => all.map((one, at) => ({ ...one, address: `10.0.${String(at >> 8)}.${String(at & 255)}:80` })));
const pattern = fc
  .tuple(fc.constantFrom("*", "a", "b"), fc.constantFrom("", "/*", "/a", "/a/b"))
  .map((parts) => parts.join(""));
const localityLbSetting = fc.oneof(
  fc.record({ enabled: fc.constant(false) }),
  fc.record({
    failover: fc.array(fc.record({ from: part, to: part }), { maxLength: 2 }),
    failoverPriority: fc.subarray(["rack", "topology.kubernetes.io/zone", "version=1", "topology.istio.io/network"]),
  }),
  fc.record({
    distribute: fc.array(
      fc.record({ from: pattern, to: fc.dictionary(pattern, fc.integer({ min: 1, max: 100 }), { minKeys: 1 }) }),
      { minLength: 1, maxLength: 2 },
    ),
  }),
);
const zoneAwareLbSetting = fc.record({ failover: fc.array(fc.record({ from: part, to: part }), { maxLength: 2 }) });
const loadBalancer = fc.oneof(
  localityLbSetting.map((setting) => ({ localityLbSetting: setting })),
  zoneAwareLbSetting.map((setting) => ({ zoneAwareLbSetting: setting })),
);
const trafficPolicy = fc.oneof(
  fc.record({ loadBalancer }),
  fc.record({ loadBalancer, outlierDetection: fc.constant({}) }),
);
const place = fc.record({ locality, labels });

type Sketches = typeof instances extends fc.Arbitrary<infer T> ? T : never;
const settings = meshSettings({});
const entryFor = (sketches: Sketches) =>
  entryOf({ hostname: "web.test", ports: [{ number: 80, protocol: "HTTP" }], instances: sketches });
const groupsOf = (sketches: Sketches) => localityGroups(entryFor(sketches).instances, "p80", "ip");
const idsOf = (groups: readonly LocalityGroup[]) =>
  groups.flatMap((group) => group.instances.map(({ id }) => id)).sort();

it("priorities begin at 0 and have no gaps, weights are above 0, and no endpoint is there twice", () => {
  fc.assert(
    fc.property(instances, trafficPolicy, place, (sketches, policy, where) => {
      const before = groupsOf(sketches);
      const rule = localityRule(portPolicy(policyOf({ trafficPolicy: policy }), 80, ""), settings.localityLb);
      const after = placed(before, rule, where);
      const priorities = after.map(({ priority }) => priority);
      expect(priorities).toEqual([...priorities].sort((a, b) => a - b));
      expect([...new Set(priorities)]).toEqual([...new Set(priorities)].map((_, at) => at));
      for (const group of after) expect(groupWeight(group)).toBeGreaterThan(0);
      const ids = idsOf(after);
      expect(new Set(ids).size).toBe(ids.length);
      const shares = rule.kind === "locality" && rule.setting.distribute.length > 0;
      if (!shares) expect(ids).toEqual(idsOf(before));
    }),
  );
});

it("the bytes of an assignment are those of its message", () => {
  fc.assert(
    fc.property(instances, trafficPolicy, place, (sketches, policy, where) => {
      const rule = localityRule(portPolicy(policyOf({ trafficPolicy: policy }), 80, ""), settings.localityLb);
      const groups = placed(groupsOf(sketches), rule, where);
      expect(Buffer.from(encodeAssignment("web", groups))).toEqual(
        Buffer.from(encoded(ClusterLoadAssignmentSchema, assignmentOf("web", groups))),
      );
    }),
  );
});

it("the shares of localities are as the rule says, each rounded up, and only localities with a share remain", () => {
  fc.assert(
    fc.property(
      instances.map((all) => all.map((one) => ({ ...one, priority: 0 }))),
      fc.dictionary(fc.constantFrom("a/*", "b/*"), fc.integer({ min: 1, max: 100 }), { minKeys: 1 }),
      (sketches, to) => {
        const spec = { trafficPolicy: { loadBalancer: { localityLbSetting: { distribute: [{ from: "*", to }] } } } };
        const rule = localityRule(portPolicy(policyOf(spec), 80, ""), settings.localityLb);
        const before = groupsOf(sketches);
        const after = placed(before, rule, { locality: { region: "x", zone: "", subzone: "" }, labels: {} });
        for (const [shared, share] of Object.entries(to)) {
          const weights = (groups: readonly LocalityGroup[]) =>
            groups.filter((group) => localityMatches(group.locality, shared)).map(groupWeight);
          const total = weights(before).reduce((sum, weight) => sum + weight, 0);
          expect(weights(after)).toEqual(weights(before).map((weight) => Math.ceil((weight * share) / total)));
        }
        const patterns = Object.keys(to);
        const wanted = before.filter((group) => patterns.some((one) => localityMatches(group.locality, one)));
        expect(idsOf(after)).toEqual(idsOf(wanted));
      },
    ),
  );
});

it("a subset has exactly the endpoints with its labels, for every kind of client", () => {
  fc.assert(
    fc.property(instances, labels, (sketches, wanted) => {
      const policy = policyOf({ subsets: [{ name: "s", labels: wanted }] });
      const compiled = new CompiledService(entryFor(sketches), settings, undefined, policy);
      const expected = sketches
        .filter((one) => Object.entries(wanted).every(([key, value]) => one.labels[key] === value))
        .map(({ address }) => address);
      for (const flavour of ["captured", "direct", "grpc"] as const) {
        const resource = compiled.resources(flavour).assignments.find(({ name }) => name === "outbound|80|s|web.test");
        const message = fromBinary(ClusterLoadAssignmentSchema, resource?.bytes ?? new Uint8Array());
        const found = message.endpoints.flatMap(({ lbEndpoints }) =>
          lbEndpoints.map(({ hostIdentifier }) => {
            const socket = hostIdentifier.case === "endpoint" ? hostIdentifier.value.address?.address : undefined;
            return socket?.case === "socketAddress" ? `${socket.value.address}:80` : "";
          }),
        );
        expect(found.sort()).toEqual([...expected].sort());
      }
    }),
  );
});
