import { registryId, serviceKey } from "@signalbox/model";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { migrationReport } from "./migration-report.ts";
import type { MigrationCandidate, MigrationInput, MigrationReport } from "./report.ts";

const candidate: fc.Arbitrary<MigrationCandidate> = fc
  .record({
    at: fc.integer({ min: 0, max: 9 }),
    registry: fc.constantFrom("a", "b"),
    port: fc.constantFrom("http", "admin"),
    weight: fc.integer({ min: 0, max: 5 }),
    verdict: fc.constantFrom(undefined, "GHOST", "IMPOSTOR", "CONFIRMED"),
    version: fc.constantFrom("v1", "v2"),
  })
  .map(({ at, port, registry, verdict, version, weight }) => ({
    registry: registryId("test", registry),
    object: "o",
    id: `${registry}-${port}-${at}-${weight}-${version}-${verdict}`,
    servicePort: port,
    address: `10.0.0.${at}:80`,
    reported: { healthStatus: "HEALTHY", weight },
    outcome: { stage: "merge", code: "SERVED", detail: "" },
    findings: verdict === undefined ? [] : [{ stage: "drift", code: verdict, since: 0 }],
    labels: { version },
  }));
const candidates = fc.uniqueArray(candidate, { maxLength: 12, selector: ({ id }) => id });

function report(from: readonly MigrationCandidate[], to: readonly MigrationCandidate[]): MigrationReport {
  const side = (registries: string, list: readonly MigrationCandidate[]): MigrationInput["from"] => ({
    registries,
    sources: [{ id: "test/a", state: "SYNCED" }],
    candidates: list,
    ports: [],
  });
  return migrationReport({
    service: serviceKey({ namespace: "n", hostname: "h" }),
    from: side("from", from),
    to: side("to", to),
    now: 10_000,
    paritySince: 0,
    rules: { parity: 0.5, forMs: 1000 },
  });
}

const addresses = (list: readonly { readonly address: string }[]) => [...new Set(list.map(({ address }) => address))];

describe("a migration report", () => {
  it("divides the endpoints: what both have and what one has add up to all", () => {
    fc.assert(
      fc.property(candidates, candidates, (from, to) => {
        const { onlyInFrom, onlyInTo, parity, shared } = report(from, to);
        const union = addresses([...from, ...to]);
        expect(shared + onlyInFrom.length).toBe(addresses(from).length);
        expect(shared + onlyInTo.length).toBe(addresses(to).length);
        expect(shared + onlyInFrom.length + onlyInTo.length).toBe(union.length);
        expect(parity).toBe(union.length === 0 ? 0 : shared / union.length);
        for (const { address } of onlyInFrom) expect(addresses(to)).not.toContain(address);
        for (const { address } of onlyInTo) expect(addresses(from)).not.toContain(address);
      }),
    );
  });

  it("spreads every endpoint over exactly one version", () => {
    fc.assert(
      fc.property(candidates, candidates, (from, to) => {
        const { spread } = report(from, to);
        const sum = (side: "from" | "to") => spread.version.reduce((total, row) => total + row[side], 0);
        expect([sum("from"), sum("to")]).toEqual([addresses(from).length, addresses(to).length]);
      }),
    );
  });

  it("is the same in any order of the input", () => {
    const shuffled = candidates.chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length })),
    );
    fc.assert(
      fc.property(shuffled, shuffled, ([from, fromShuffled], [to, toShuffled]) => {
        expect(report(fromShuffled, toShuffled)).toEqual(report(from, to));
      }),
    );
  });

  it("is ready exactly when nothing blocks, and never with less parity than the rules ask", () => {
    fc.assert(
      fc.property(candidates, candidates, (from, to) => {
        const { blockers, parity, ready } = report(from, to);
        expect(ready).toBe(blockers.length === 0);
        if (ready) expect(parity).toBeGreaterThanOrEqual(0.5);
      }),
    );
  });
});
