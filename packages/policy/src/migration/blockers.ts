import { byCodeUnit } from "@signalbox/model";
import { protocolDeltas, verdictOf } from "./differences.ts";
import type { ByAddress } from "./differences.ts";
import type { Blocker, BlockerCode, MigrationInput, MigrationSide } from "./report.ts";

/** What the report has found out before it judges. */
export interface Compared {
  readonly from: ByAddress;
  readonly to: ByAddress;
  readonly parity: number;
  /** Whether neither side has an endpoint. */
  readonly empty: boolean;
  /** How long parity has held, in milliseconds. */
  readonly heldMs: number;
}

/** Addresses in a message, at most; the report has them all. */
const mostNamed = 5;

/** Everything that stands in the way of a migration, by code and detail. */
export function blockersOf(input: MigrationInput, compared: Compared): Blocker[] {
  const blockers = [
    ...sourceBlockers(input.from),
    ...sourceBlockers(input.to),
    ...parityBlockers(input, compared),
    ...verdictBlockers(compared),
    ...portBlockers(input),
    ...weightBlockers(compared),
    ...nameBlockers(input),
  ];
  return blockers.sort((a, b) => byCodeUnit(a.code, b.code) || byCodeUnit(a.detail, b.detail));
}

function blocker(code: BlockerCode, detail: string): Blocker {
  return { code, detail };
}

function sourceBlockers({ registries, sources }: MigrationSide): Blocker[] {
  if (sources.length === 0) return [blocker("SOURCE_NOT_SYNCED", `there is no source ${registries}`)];
  return sources
    .filter(({ state }) => state !== "SYNCED")
    .map(({ id, state }) => blocker("SOURCE_NOT_SYNCED", `${id} is ${state}`));
}

function parityBlockers({ rules, paritySince }: MigrationInput, { parity, empty, heldMs }: Compared): Blocker[] {
  if (empty) return [blocker("PARITY_BELOW", "neither side has an endpoint")];
  // Rounded down, so that 0.9999 does not read as the 1 that it is not.
  const shown = Math.floor(parity * 1000) / 1000;
  if (parity < rules.parity) return [blocker("PARITY_BELOW", `parity is ${shown}, the rules ask for ${rules.parity}`)];
  if (heldMs >= rules.forMs) return [];
  const held = paritySince === undefined ? "nobody has watched it yet" : `it has held for ${seconds(heldMs)}`;
  return [blocker("PARITY_TOO_SHORT", `parity is ${shown}, ${held}, the rules ask for ${seconds(rules.forMs)}`)];
}

function seconds(ms: number): string {
  return `${Math.max(0, Math.floor(ms / 1000))} s`;
}

function verdictBlockers({ from, to }: Compared): Blocker[] {
  const withVerdict = (verdict: string): string[] => {
    const addresses = [from, to].flatMap((side) =>
      [...side].filter(([, group]) => group.some((one) => verdictOf(one) === verdict)).map(([address]) => address),
    );
    return [...new Set(addresses)].sort(byCodeUnit);
  };
  const impostors = withVerdict("IMPOSTOR");
  const ghosts = withVerdict("GHOST");
  return [
    ...(impostors.length === 0 ? [] : [blocker("IMPOSTOR_PRESENT", listed(impostors))]),
    ...(ghosts.length === 0 ? [] : [blocker("GHOST_PRESENT", listed(ghosts))]),
  ];
}

function listed(addresses: readonly string[]): string {
  const more = addresses.length - mostNamed;
  return addresses.slice(0, mostNamed).join(", ") + (more > 0 ? ` and ${more} more` : "");
}

function portBlockers({ from, to }: MigrationInput): Blocker[] {
  const numbers = new Set(to.ports.map(({ number }) => number));
  const missing = from.ports
    .filter(({ number }) => !numbers.has(number))
    .map(({ name, number }) => blocker("PORT_MISSING", `${to.registries} has no port ${number} (${name})`));
  const unknown = to.ports
    .filter(({ protocol }) => protocol === "UNSUPPORTED")
    .map(({ name, number }) => blocker("PROTOCOL_UNKNOWN", `${to.registries} says no protocol of ${number} (${name})`));
  const differing = protocolDeltas(from.ports, to.ports)
    .filter((delta) => delta.from !== "UNSUPPORTED" && delta.to !== "UNSUPPORTED")
    .map((delta) => blocker("PROTOCOL_DIFFERS", `port ${delta.number} is ${delta.from} before and ${delta.to} after`));
  return [...missing, ...unknown, ...differing];
}

/** Weights that differ on the side that is left mean something: the shared endpoints must keep their proportions. */
function weightBlockers({ from, to }: Compared): Blocker[] {
  const pairs = [...from].flatMap(([address, [first]]) => {
    const other = to.get(address)?.[0];
    return other === undefined
      ? []
      : [{ address, before: BigInt(first.reported.weight), after: BigInt(other.reported.weight) }];
  });
  if (new Set(pairs.map(({ before }) => before)).size <= 1) return [];
  const total = (side: "before" | "after"): bigint => pairs.reduce((sum, pair) => sum + pair[side], 0n);
  const [before, after] = [total("before"), total("after")];
  const wrong = pairs.find((pair) => pair.before * after !== pair.after * before);
  if (wrong === undefined) return [];
  const was = `${wrong.before} of ${before}`;
  return [
    blocker("WEIGHT_UNMAPPED", `${wrong.address} has the weight ${was} before and ${wrong.after} of ${after} after`),
  ];
}

function nameBlockers({ consumers = [], rules, unresolvable = [] }: MigrationInput): Blocker[] {
  const known = rules.consumers && new Set(rules.consumers);
  const unknown = known === undefined ? [] : [...new Set(consumers)].filter((consumer) => !known.has(consumer));
  return [
    ...[...new Set(unresolvable)].map((hostname) => blocker("HOSTNAME_UNRESOLVABLE", `${hostname} has no address`)),
    ...unknown.map((consumer) => blocker("CONSUMER_UNKNOWN", `${consumer} calls the service and is not in the list`)),
  ];
}
