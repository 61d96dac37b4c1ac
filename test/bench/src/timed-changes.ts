import { setTimeout as delay } from "node:timers/promises";
import type { Fleet } from "./fleet.ts";
import type { MeasuredProcess } from "./measured-process.ts";
import type { Moved, Poll } from "./messages.ts";
import type { ProxyClient } from "./proxy-client.ts";
import type { BenchSource, ChangePattern } from "./sources/source.ts";
import { now } from "./time.ts";

/** When each thing happened to one change, in milliseconds of the shared clock. */
export interface TimedChange {
  /** The write was sent to the source. */
  readonly sentAt: number;
  /** The source acknowledged it. The event may be earlier. */
  readonly ackedAt: number;
  /** The consumer of the bus had the event. */
  readonly eventAt: number;
  /** The bare follower had it. */
  readonly bareAt?: number;
  /** The proxy had it. */
  readonly clientAt?: number;
  /** The poll that found it. */
  readonly poll?: Poll;
}

/** What is changed, and how often. */
export interface ChangesOptions {
  readonly source: BenchSource;
  readonly measured: MeasuredProcess;
  readonly pattern: ChangePattern;
  readonly fleet: Fleet;
  /** The services that change in turn: the first so many. */
  readonly services: number;
  /** Numbers of the changes. None may come twice in the life of a server. */
  readonly numbers: readonly number[];
  /** A proxy that waits for the changes too. */
  readonly client?: ProxyClient;
  readonly signal: AbortSignal;
}

/** Longer than the aggregate takes to be quiet again, so that a change meets no storm. */
const restMs = 100;
/** After so long a change counts as lost, beyond the interval in which the adapter looks. */
const patienceMs = 60_000;

/** Moves instances at the source and waits for the events that tell of it. Rejects when one does not come. */
export async function timeChanges(options: ChangesOptions): Promise<readonly TimedChange[]> {
  const { measured, pattern } = options;
  const events = new Events(measured);
  try {
    return pattern.type === "spread" ? await spread(options, pattern, events) : await oneByOne(options, events);
  } finally {
    events.close();
  }
}

async function oneByOne(options: ChangesOptions, events: Events): Promise<readonly TimedChange[]> {
  const { client, fleet, numbers, services, signal, source } = options;
  const changes: TimedChange[] = [];
  for (const number of numbers) {
    const [service, address] = [number % services, fleet.newHome(number)];
    const bare = source.follower.type === "wait" ? await source.follower.expect(service, address) : undefined;
    await delay(restMs, undefined, { signal });
    const event = events.of(address, patienceMs, signal);
    const told = client?.endpointAt(address, AbortSignal.any([signal, AbortSignal.timeout(patienceMs)]));
    const written = await write(source, service, address);
    const { at: eventAt } = await event;
    const clientAt = await told;
    changes.push({
      ...{ ...written, eventAt },
      ...(bare && { bareAt: await bare.seen }),
      ...(clientAt !== undefined && { clientAt }),
    });
  }
  return changes;
}

async function spread(
  { fleet, numbers, services, signal, source }: ChangesOptions,
  { gapMs, intervalMs }: Extract<ChangePattern, { type: "spread" }>,
  events: Events,
): Promise<readonly TimedChange[]> {
  const changes: Promise<TimedChange>[] = [];
  for (const number of numbers) {
    const [service, address] = [number % services, fleet.newHome(number)];
    const event = events.of(address, intervalMs + patienceMs, signal);
    const written = await write(source, service, address);
    changes.push(event.then(({ at: eventAt, poll }) => ({ ...written, eventAt, ...(poll && { poll }) })));
    await delay(gapMs, undefined, { signal });
  }
  return Promise.all(changes);
}

async function write(source: BenchSource, service: number, address: string) {
  const sentAt = now();
  await source.move(service, address);
  return { sentAt, ackedAt: now() };
}

/** The events of a measured process, by the address that they tell of. */
class Events {
  readonly #measured: MeasuredProcess;
  readonly #waiting = new Map<string, (moved: Moved) => void>();
  readonly close: () => void;

  constructor(measured: MeasuredProcess) {
    this.#measured = measured;
    this.close = measured.onMoved((moved) => {
      for (const address of moved.addresses) {
        // An address stays in later events of its service; the first one counts.
        this.#waiting.get(address)?.(moved);
        this.#waiting.delete(address);
      }
    });
  }

  async of(address: string, withinMs: number, signal: AbortSignal): Promise<Moved> {
    const end = new AbortController();
    const told = new Promise<Moved>((resolve) => this.#waiting.set(address, resolve));
    const late = delay(withinMs, undefined, { signal: AbortSignal.any([signal, end.signal]) }).then(() => {
      throw new Error(`no event told of ${address} within ${withinMs} ms`);
    });
    try {
      return await Promise.race([told, late, this.#measured.failed]);
    } finally {
      end.abort();
    }
  }
}
