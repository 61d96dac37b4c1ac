import { blockersOf } from "./blockers.ts";
import { groupByAddress, labelDeltas, portDeltas, protocolDeltas, spreadBy, verdictOf } from "./differences.ts";
import type { MigrationCandidate, MigrationInput, MigrationReport, MigrationRow } from "./report.ts";

/**
 * Compares what two sides say about a service, endpoint by endpoint (address and port), and judges by the rules whether it may move from
 * one to the other. Endpoints count as their registries tell of them, served or not. Everything in the report is sorted, so the order of
 * the input does not show.
 */
export function migrationReport(input: MigrationInput): MigrationReport {
  const { service, rules } = input;
  const from = groupByAddress(input.from.candidates);
  const to = groupByAddress(input.to.candidates);
  const shared = [...from.keys()].filter((address) => to.has(address)).length;
  const union = from.size + to.size - shared;
  const parity = union === 0 ? 0 : shared / union;
  const heldMs = parity < rules.parity || input.paritySince === undefined ? 0 : input.now - input.paritySince;
  const blockers = blockersOf(input, { from, to, parity, empty: union === 0, heldMs });
  return {
    service,
    from: input.from.registries,
    to: input.to.registries,
    parity,
    shared,
    onlyInFrom: rowsWithout(from, to),
    onlyInTo: rowsWithout(to, from),
    portDeltas: portDeltas(input.from.ports, input.to.ports),
    protocolDeltas: protocolDeltas(input.from.ports, input.to.ports),
    labelDeltas: labelDeltas(from, to),
    spread: {
      version: spreadBy(from, to, ({ labels = {} }) => (Object.hasOwn(labels, "version") ? labels["version"] : "")),
      zone: spreadBy(from, to, ({ locality }) => locality?.zone),
    },
    secondsInParity: Math.max(0, Math.floor(heldMs / 1000)),
    ready: blockers.length === 0,
    blockers,
  };
}

function rowsWithout(
  side: ReadonlyMap<string, readonly MigrationCandidate[]>,
  other: ReadonlyMap<string, unknown>,
): MigrationRow[] {
  return [...side].flatMap(([address, [first, ...rest]]) => {
    if (first === undefined || other.has(address)) return [];
    const verdict = [first, ...rest].map(verdictOf).find((code) => code !== undefined);
    const { registry, servicePort, outcome } = first;
    return [{ registry, address, servicePort, ...(verdict !== undefined && { verdict }), outcome: outcome.code }];
  });
}
