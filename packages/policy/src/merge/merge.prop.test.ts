import { instanceKey, registryId } from "@signalbox/model";
import type { HealthStatus, RegistryId } from "@signalbox/model";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { exclude } from "../candidate.ts";
import type { Candidate, CandidateRecord } from "../candidate.ts";
import type { MergeRule } from "../merge-rule.ts";
import { explainMerge } from "./explain-merge.ts";
import { mergeService } from "./merge-service.ts";
import type { MergeServiceInput } from "./merge-service.ts";
import { candidate, key, record, registries } from "./testing/candidates.ts";

const pattern = fc.constantFrom("fake/one", "fake/two", "fake/three", "fake/t*", "*", "other/*");
const order = fc.array(pattern, { maxLength: 3 });
const anyRule: fc.Arbitrary<MergeRule> = fc.oneof(
  fc.constant<MergeRule>({ type: "union" }),
  order.map((names): MergeRule => ({ type: "prefer", order: names })),
  order.map((names): MergeRule => ({ type: "failover", order: names })),
  fc.record({
    type: fc.constant("split" as const),
    shares: fc.array(fc.record({ registry: pattern, weight: fc.constantFrom(0, 0.4, 1, 10, 90) }), { maxLength: 3 }),
    onEmpty: fc.constantFrom("spill", "blackhole"),
  }),
  pattern.map((registry): MergeRule => ({ type: "authoritative", registry })),
);

const health = fc.constantFrom<HealthStatus>("HEALTHY", "UNHEALTHY", "DEGRADED", "DRAINING", "UNKNOWN");
const anyCandidate = fc.record({
  who: fc.nat(2),
  ip: fc.constantFrom("192.0.2.1", "192.0.2.2", "192.0.2.3", "192.0.2.4", "2001:db8::1"),
  servicePort: fc.constantFrom("http", "tcp", "web"),
  weight: fc.nat(3),
  healthStatus: health,
  priority: fc.constantFrom(0, 0, 0, 1),
  out: fc.constantFrom(false, false, false, true),
});
const ports = [
  { name: "http", number: 80, protocol: "HTTP" },
  { name: "tcp", number: 90, protocol: "TCP" },
] as const;
// `web` is a name for `http`, or a contradiction, or no port at all, by registry.
const portsOf = [
  ports,
  [{ name: "web", number: 80, protocol: "GRPC" }, ports[1]],
  [{ name: "web", number: 80, protocol: "HTTP" }, { name: "http", number: 81, protocol: "HTTP" }, ports[1]],
] as const;

const anyRecords = fc
  .tuple(fc.subarray([0, 1, 2], { minLength: 1 }), fc.array(anyCandidate, { maxLength: 16 }))
  .map(([who, all]): readonly CandidateRecord[] =>
    who.map((index) => {
      const registry = registries[index] ?? registries[0];
      const own = all.filter((each) => each.who === index);
      const candidates = own.map(({ healthStatus, ip, out, priority, servicePort, weight }, at): Candidate => {
        const made = candidate(registry, ip, { id: `${at}`, servicePort, weight, healthStatus }, { priority });
        return out ? exclude(made, "drift", "GHOST", "") : made;
      });
      return record(registry, candidates, { ports: portsOf[index] ?? ports });
    }),
  );
const anyInput: fc.Arbitrary<MergeServiceInput> = fc
  .record({ records: anyRecords, rule: anyRule, late: fc.subarray([...registries]) })
  .map(({ late, records, rule }) => ({
    key,
    records,
    rule,
    expired: new Map(late.map((registry, at): [RegistryId, number] => [registry, at])),
  }));

const inEntry = new Set(["SERVED", "STANDBY", "WEIGHT_ZERO", "MERGED"]);

describe("a merge by any rule", () => {
  it("does not depend on the order of the candidates", () => {
    const shuffled = anyInput.chain((input) =>
      fc.tuple(
        fc.constant(input),
        fc.tuple(
          ...input.records.map(({ candidates }) =>
            fc.shuffledSubarray([...candidates], { minLength: candidates.length }),
          ),
        ),
      ),
    );
    fc.assert(
      fc.property(shuffled, ([input, candidates]) => {
        const records = input.records.map((each, at) => ({ ...each, candidates: candidates[at] ?? [] }));
        const [other, same] = [explainMerge({ ...input, records }), explainMerge(input)];
        expect(other.entry).toEqual(same.entry);
        expect(other.unserved).toEqual(same.unserved);
        for (const [each, outcome] of same.outcomes) expect(other.outcomes.get(each)).toEqual(outcome);
      }),
      { numRuns: 300 },
    );
  });

  it("is the same with and without reasons", () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const { entry, unserved } = explainMerge(input);
        expect(mergeService(input)).toEqual({ entry, unserved });
      }),
    );
  });

  it("gives each candidate one outcome, and says that it is in the catalog exactly if it is", () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const { entry, outcomes } = explainMerge(input);
        const all = input.records.flatMap(({ candidates }) => candidates);
        expect([...outcomes.keys()]).toEqual(all);
        const present = new Set(
          entry?.instances.map(({ addresses, servicePort }) => `${servicePort} ${instanceKey(addresses[0])}`),
        );
        const spoken: string[] = [];
        for (const { candidates, service } of input.records) {
          for (const each of candidates) {
            const { code } = outcomes.get(each) ?? { code: "" };
            const own = service.ports.find(({ name }) => name === each.instance.servicePort);
            const merged =
              entry?.service.ports.find(({ name }) => name === own?.name) ??
              entry?.service.ports.find(({ number }) => number === own?.number);
            const identity = `${merged?.name ?? ""} ${instanceKey(each.instance.addresses[0])}`;
            if (each.excluded !== undefined) expect(code).toBe("GHOST");
            else if (own === undefined) expect(["NO_PORT", "SHADOW", "NO_SHARE"]).toContain(code);
            // The registry uses the name of the port with this number for another one.
            else if (merged?.name !== own.name && service.ports.some(({ name }) => name === merged?.name))
              expect(["PORT_CONFLICT", "SHADOW", "NO_SHARE"]).toContain(code);
            else expect(inEntry.has(code)).toBe(present.has(identity));
            if (inEntry.has(code) && code !== "MERGED") spoken.push(identity);
          }
        }
        // Exactly one candidate speaks for each endpoint.
        expect(spoken).toHaveLength(present.size);
      }),
      { numRuns: 500 },
    );
  });

  it("has every endpoint once, sorted, with those who know it by precedence, and never sums weights", () => {
    fc.assert(
      fc.property(anyInput, (input) => {
        const { entry } = mergeService(input);
        const identities = (entry?.instances ?? []).map(
          ({ addresses, servicePort }) => `${servicePort}\0${instanceKey(addresses[0])}`,
        );
        expect(identities).toEqual([...new Set(identities)].sort());
        const precedence = input.records.map(({ registry }) => registry);
        for (const { provenance, weight } of entry?.instances ?? []) {
          const places = provenance.map(({ registry }) => precedence.indexOf(registry));
          expect(places).toEqual([...new Set(places)].sort());
          if (input.rule.type !== "split") expect(weight).toBeLessThanOrEqual(3);
        }
      }),
    );
  });
});

describe("a split of any two registries", () => {
  const [from, to] = [registryId("fake", "one"), registryId("fake", "two")];
  const counts = fc.record({
    old: fc.nat(60),
    both: fc.nat(60),
    fresh: fc.nat(60),
    share: fc.integer({ min: 0, max: 100 }),
  });
  const zones = ["a", "b", "c"];
  const at = (registry: RegistryId, prefix: string, count: number) =>
    Array.from({ length: count }, (_, index) =>
      candidate(registry, `10.${prefix}.0.${index}`, {
        locality: { region: "r", zone: zones[index % 3] ?? "", subzone: "" },
      }),
    );

  it("gives exactly its share to each over all localities, however many endpoints both know", () => {
    fc.assert(
      fc.property(counts, ({ both, fresh, old, share }) => {
        const { entry } = mergeService({
          key,
          expired: new Map(),
          rule: {
            type: "split",
            shares: [
              { registry: from, weight: 100 - share },
              { registry: to, weight: share },
            ],
            onEmpty: "spill",
          },
          records: [
            record(from, [...at(from, "1", old), ...at(from, "2", both)]),
            record(to, [...at(to, "2", both), ...at(to, "3", fresh)]),
          ],
        });
        let [target, rest] = [0, 0];
        for (const { provenance, weight } of entry?.instances ?? [])
          if (provenance.some(({ registry }) => registry === to)) target += weight;
          else rest += weight;
        if (old > 0 && both + fresh > 0) expect(target * (100 - share)).toBe(rest * share);
        else if (old > 0) expect(rest > 0).toBe(share < 100);
        else expect(target > 0).toBe(share > 0 && both + fresh > 0);
        expect(entry?.instances).toHaveLength(old + both + fresh);
      }),
    );
  });
});
