import { byCodeUnit } from "@signalbox/model";
import type { Port } from "@signalbox/model";
import type { LabelDelta, MigrationCandidate, PortDelta, ProtocolDelta, SpreadRow } from "./report.ts";

/** Endpoints of one side by address, sorted; several where registries or ports tell of one address. */
export type ByAddress = ReadonlyMap<string, readonly [MigrationCandidate, ...MigrationCandidate[]]>;

/** Gathers the candidates of each address; addresses and candidates are sorted. */
export function groupByAddress(candidates: readonly MigrationCandidate[]): ByAddress {
  const groups = new Map<string, [MigrationCandidate, ...MigrationCandidate[]]>();
  for (const candidate of [...candidates].sort(byPlace)) {
    const group = groups.get(candidate.address);
    if (group) group.push(candidate);
    else groups.set(candidate.address, [candidate]);
  }
  return groups;
}

function byPlace(a: MigrationCandidate, b: MigrationCandidate): number {
  return (
    byCodeUnit(a.address, b.address) ||
    byCodeUnit(a.registry, b.registry) ||
    byCodeUnit(a.servicePort, b.servicePort) ||
    byCodeUnit(a.id, b.id)
  );
}

/** The code of a candidate's drift verdict: what took it out, or else what was noted last. */
export function verdictOf({ findings, outcome }: MigrationCandidate): string | undefined {
  if (outcome.stage === "drift") return outcome.code;
  return findings.findLast(({ stage }) => stage === "drift")?.code;
}

/** Port numbers that one side does not have or that have two names, by number. */
export function portDeltas(from: readonly Port[], to: readonly Port[]): PortDelta[] {
  return numbersOf(from, to).flatMap((number): PortDelta[] => {
    const before = portOf(from, number)?.name;
    const after = portOf(to, number)?.name;
    if (before === after) return [];
    return [{ number, ...(before !== undefined && { from: before }), ...(after !== undefined && { to: after }) }];
  });
}

/** Port numbers that both sides have, with different protocols, by number. */
export function protocolDeltas(from: readonly Port[], to: readonly Port[]): ProtocolDelta[] {
  return numbersOf(from, to).flatMap((number): ProtocolDelta[] => {
    const before = portOf(from, number)?.protocol;
    const after = portOf(to, number)?.protocol;
    return before === undefined || after === undefined || before === after ? [] : [{ number, from: before, to: after }];
  });
}

function numbersOf(from: readonly Port[], to: readonly Port[]): number[] {
  return [...new Set([...from, ...to].map(({ number }) => number))].sort((a, b) => a - b);
}

/** The port with this number; of several the first by name. */
function portOf(ports: readonly Port[], number: number): Port | undefined {
  return ports.filter((port) => port.number === number).sort((a, b) => byCodeUnit(a.name, b.name))[0];
}

/** Labels of shared endpoints that differ, by address and label. */
export function labelDeltas(from: ByAddress, to: ByAddress): LabelDelta[] {
  return [...from].flatMap(([address, [{ labels: before }]]) => {
    const after = to.get(address)?.[0].labels;
    if (before === undefined || after === undefined) return [];
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])].sort(byCodeUnit);
    return names.flatMap((label): LabelDelta[] => {
      const own = Object.hasOwn(before, label) ? before[label] : undefined;
      const other = Object.hasOwn(after, label) ? after[label] : undefined;
      if (own === other) return [];
      return [{ address, label, ...(own !== undefined && { from: own }), ...(other !== undefined && { to: other }) }];
    });
  });
}

/** How many endpoints of each side have each value, by value. */
export function spreadBy(
  from: ByAddress,
  to: ByAddress,
  valueOf: (candidate: MigrationCandidate) => string | undefined,
): SpreadRow[] {
  const rows = new Map<string, { value: string; from: number; to: number }>();
  const count = (side: ByAddress, name: "from" | "to"): void => {
    for (const [first] of side.values()) {
      const value = valueOf(first) ?? "";
      const row = rows.get(value) ?? { value, from: 0, to: 0 };
      row[name]++;
      rows.set(value, row);
    }
  };
  count(from, "from");
  count(to, "to");
  return [...rows.values()].sort((a, b) => byCodeUnit(a.value, b.value));
}
