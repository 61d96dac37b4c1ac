import { byCodeUnit, instanceKey } from "@signalbox/model";
import type { ServiceInstance, ServiceKey } from "@signalbox/model";
import { withFinding } from "../candidate.ts";
import type { Candidate, CandidateRecord } from "../candidate.ts";
import { eligibility } from "../merge/eligible.ts";

/** How the weight of an endpoint rises that begins to take traffic. */
export interface SlowStartRule {
  /** Over how long, in milliseconds. */
  readonly overMs: number;
  /** In how many steps, at least 1. */
  readonly steps: number;
  /** Who is away, or cannot take traffic, for not longer than this many milliseconds goes on where it was. */
  readonly flapMs: number;
}

/** Since when an endpoint takes traffic. Plain JSON. */
export interface SavedStart {
  readonly servicePort: string;
  /** As `instanceKey` writes it. */
  readonly address: string;
  /** Who it is: `<registry> <id>` for each registry that tells of it. */
  readonly ids: readonly string[];
  /** When it first could take traffic, in epoch milliseconds; 0 where that is long ago. */
  readonly since: number;
  /** Since when it cannot, or is away. */
  readonly leftAt?: number;
}

/** The endpoints of one service that are not at their full weight, or are away. To be kept over restarts. Plain JSON. */
export interface SavedSlowStart {
  readonly service: ServiceKey;
  readonly endpoints: readonly SavedStart[];
}

/** What a slow start made of a service's endpoints. */
export interface SlowStarted {
  readonly records: readonly CandidateRecord[];
  /** When time alone changes it, in epoch milliseconds. */
  readonly dueAt: number | undefined;
}

interface Started {
  readonly servicePort: string;
  readonly address: string;
  ids: readonly string[];
  since: number;
  leftAt: number | undefined;
}

interface Memory {
  rule: SlowStartRule | undefined;
  /** Whether the service was looked at: who comes now is new. */
  seen: boolean;
  readonly endpoints: Map<string, Started>;
}

/** What the endpoints of one moment are. */
interface Present {
  readonly instance: ServiceInstance;
  readonly ids: string[];
}

/** The weight that clients are told at most. */
const maxWeight = 100_000;
/** How long something is kept of a service that was not looked at since a restart. */
const forgottenAfterMs = 86_400_000;
/** For those who were there before anybody looked. */
const longAgo = 0;

/**
 * Remembers since when endpoints take traffic, and gives those that began not long ago a part of their weight. Only services with a rule cost
 * something.
 *
 * The clock of an endpoint begins when it can first take traffic. Neither changes of its attributes nor a short absence begin it anew;
 * another identity at its address does. Endpoints that are there when a service is looked at for the first time have begun when their
 * registry says that they registered, or long ago. Weights only say something beside each other: where all endpoints that can take traffic are
 * equally far, all have their own weight.
 *
 * Steps are taken at whole multiples of their length, by all endpoints together, so that a service changes at most once for each, however
 * many endpoints begin, and replicas agree without talking.
 */
export class SlowStart {
  readonly #services = new Map<ServiceKey, Memory>();

  /** `saved`: from before a restart. */
  constructor(saved: readonly SavedSlowStart[] = []) {
    for (const { endpoints, service } of saved)
      this.#services.set(service, {
        rule: undefined,
        seen: false,
        endpoints: new Map(
          endpoints.map((one) => [`${one.servicePort}\0${one.address}`, { ...one, leftAt: one.leftAt }]),
        ),
      });
  }

  /**
   * Takes in what the other stages left of a service, and says with which weights. `changed`: whether what `saved` gives is another
   * now. `now` in epoch milliseconds.
   */
  take(
    service: ServiceKey,
    rule: SlowStartRule | undefined,
    records: readonly CandidateRecord[],
    now: number,
  ): SlowStarted & { readonly changed: boolean } {
    const known = this.#services.get(service);
    if (rule === undefined) {
      const changed = this.#services.delete(service);
      return { records, dueAt: undefined, changed };
    }
    if (known === undefined && records.length === 0) return { records, dueAt: undefined, changed: false };
    const memory = known ?? { rule, seen: false, endpoints: new Map<string, Started>() };
    memory.rule = rule;
    const changed = note(memory, rule, eligibleOf(records), now);
    if (records.length > 0) memory.seen = true;
    if (records.length > 0 || memory.endpoints.size > 0) this.#services.set(service, memory);
    else this.#services.delete(service);
    return { ...weigh(memory.endpoints, rule, records, now), changed };
  }

  /** What has to be kept. Sorted. Forgets what is kept from before a restart of services that nobody has told of for a day. */
  saved(now: number): readonly SavedSlowStart[] {
    for (const [service, { endpoints, rule }] of this.#services) {
      const newest = Math.max(...[...endpoints.values()].map(({ leftAt, since }) => leftAt ?? since));
      if (rule === undefined && now - newest >= forgottenAfterMs) this.#services.delete(service);
    }
    return [...this.#services]
      .map(([service, { endpoints, rule }]) => ({
        service,
        endpoints: [...endpoints]
          .filter(
            ([, { leftAt, since }]) =>
              leftAt !== undefined || rule === undefined || stepOf(rule, since, now) <= rule.steps,
          )
          .sort(([a], [b]) => byCodeUnit(a, b))
          .map(([, { leftAt, ...one }]) => ({ ...one, ...(leftAt !== undefined && { leftAt }) })),
      }))
      .filter(({ endpoints }) => endpoints.length > 0)
      .sort((a, b) => byCodeUnit(a.service, b.service));
  }
}

/** Notes who began, who is away and who is back. Gives back whether there was any. */
function note(
  { endpoints, seen }: Memory,
  rule: SlowStartRule,
  present: ReadonlyMap<string, Present>,
  now: number,
): boolean {
  let changed = false;
  for (const [key, { ids, instance }] of present) {
    const known = endpoints.get(key);
    const same = known !== undefined && known.ids.some((id) => ids.includes(id));
    if (known !== undefined && same && (known.leftAt === undefined || now - known.leftAt <= rule.flapMs)) {
      if (known.leftAt !== undefined) changed = true;
      known.leftAt = undefined;
      known.ids = ids;
      continue;
    }
    const since = seen || known !== undefined ? now : beganAt(instance, rule, now);
    const [servicePort, address] = [instance.servicePort, instanceKey(instance.addresses[0])];
    endpoints.set(key, { servicePort, address, ids, since, leftAt: undefined });
    changed = true;
  }
  for (const [key, known] of endpoints) {
    if (present.has(key)) continue;
    if (known.leftAt === undefined) {
      known.leftAt = now;
      changed = true;
    }
    if (now - known.leftAt <= rule.flapMs) continue;
    endpoints.delete(key);
    changed = true;
  }
  return changed;
}

/** When an endpoint began that was there before anybody looked. */
function beganAt({ registeredAt }: ServiceInstance, rule: SlowStartRule, now: number): number {
  if (registeredAt === undefined) return longAgo;
  const since = Math.min(registeredAt, now);
  return stepOf(rule, since, now) <= rule.steps ? since : longAgo;
}

/** Multiplies weights, so that they stay whole numbers: who is at its full weight gets one more than there are steps. */
function weigh(
  endpoints: ReadonlyMap<string, Started>,
  rule: SlowStartRule,
  records: readonly CandidateRecord[],
  now: number,
): SlowStarted {
  const steps = new Map<string, number>();
  for (const [key, { leftAt, since }] of endpoints) if (leftAt === undefined) steps.set(key, stepOf(rule, since, now));
  const all = [...steps.values()];
  const away = [...endpoints.values()].flatMap(({ leftAt }) => leftAt ?? []);
  const dueAt = all.some((step) => step <= rule.steps)
    ? (Math.floor(now / lengthOf(rule)) + 1) * lengthOf(rule)
    : // Nobody else would ever look again at a service that is gone.
      all.length === 0 && away.length > 0
      ? Math.max(...away) + rule.flapMs + 1
      : undefined;
  const highest = all.reduce((one, other) => Math.max(one, other), 1);
  if (all.every((step) => step === highest)) return { records, dueAt };
  const common = all.reduce(greatestCommonDivisor, 0);
  const largest = Math.max(...records.flatMap(({ candidates }) => candidates.map(({ instance }) => instance.weight)));
  const exact = (largest * highest) / common <= maxWeight;
  const scaled = (candidate: Candidate): Candidate => {
    const key = keyOf(candidate.instance);
    const step = steps.get(key) ?? highest;
    const { weight } = candidate.instance;
    const part = (weight * step) / (exact ? common : highest);
    const instance = { ...candidate.instance, weight: exact || !(weight > 0) ? part : Math.max(1, Math.round(part)) };
    const next = { ...candidate, instance };
    return step < highest ? withFinding(next, "weights", "SLOW_START", endpoints.get(key)?.since ?? now) : next;
  };
  return { records: records.map((record) => ({ ...record, candidates: record.candidates.map(scaled) })), dueAt };
}

/** The part of its weight that an endpoint has: from 1 to one more than there are steps, which is all of it. */
function stepOf(rule: SlowStartRule, since: number, now: number): number {
  const length = lengthOf(rule);
  const begin = Math.ceil(since / length);
  return Math.min(rule.steps, Math.max(0, Math.floor(now / length) - begin)) + 1;
}

function lengthOf({ overMs, steps }: SlowStartRule): number {
  return Math.max(1, Math.ceil(overMs / steps));
}

/** The endpoints that can take traffic. */
function eligibleOf(records: readonly CandidateRecord[]): ReadonlyMap<string, Present> {
  const found = new Map<string, Present>();
  for (const { candidates, registry } of records) {
    for (const { excluded, instance } of candidates) {
      if (excluded !== undefined || eligibility(instance) !== "full") continue;
      const key = keyOf(instance);
      const known = found.get(key);
      if (known === undefined) found.set(key, { instance, ids: [`${registry} ${instance.id}`] });
      else known.ids.push(`${registry} ${instance.id}`);
    }
  }
  return found;
}

function keyOf({ addresses, servicePort }: ServiceInstance): string {
  return `${servicePort}\0${instanceKey(addresses[0])}`;
}

function greatestCommonDivisor(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return x;
}
