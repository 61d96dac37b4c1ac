import { instanceKey, type ServiceKey } from "@signalbox/model";
import { fits, type CandidateRecord, type Pattern } from "@signalbox/policy";

/** Two sides of a service that are compared, and the parity that is asked for. */
export interface ParityQuestion {
  readonly service: ServiceKey;
  readonly from: Pattern;
  readonly to: Pattern;
  readonly parity: number;
}

/** An endpoint of a registry, as its address is written in explanations. */
export interface Place {
  readonly registry: string;
  readonly address: string;
}

interface Watched extends ParityQuestion {
  since: number | undefined;
}

/** Questions beyond this many make the oldest ones forgotten. */
const mostWatched = 1000;

/**
 * Since when registries have been in parity. A question is watched from the first time it is asked, with every change of its service, as
 * long as the process runs.
 */
export class ParityWatch {
  readonly #watched = new Map<ServiceKey, Map<string, Watched>>();
  #count = 0;

  /** Looks at a service that may have changed. Costs nothing where nobody asked. `now` in epoch milliseconds. */
  see(service: ServiceKey, records: readonly CandidateRecord[], now: number): void {
    const questions = this.#watched.get(service);
    if (questions === undefined) return;
    const places = placesOf(records);
    for (const watched of questions.values()) look(watched, places, now);
  }

  /** Since when parity has held, in epoch milliseconds; undefined while it does not. `places`: all endpoints of the service now. */
  since(question: ParityQuestion, places: readonly Place[], now: number): number | undefined {
    const { from, parity, service, to } = question;
    const id = JSON.stringify([from, to, parity]);
    let watched = this.#watched.get(service)?.get(id);
    if (watched === undefined) {
      if (this.#count >= mostWatched) this.#forgetOldest();
      watched = { ...question, since: undefined };
      const own = this.#watched.get(service) ?? new Map<string, Watched>();
      this.#watched.set(service, own.set(id, watched));
      this.#count++;
    }
    look(watched, places, now);
    return watched.since;
  }

  #forgetOldest(): void {
    const [oldest] = this.#watched;
    if (oldest === undefined) return;
    const [service, questions] = oldest;
    this.#watched.delete(service);
    this.#count -= questions.size;
  }
}

function look(watched: Watched, places: readonly Place[], now: number): void {
  const side = (pattern: Pattern) =>
    new Set(places.filter(({ registry }) => fits(pattern, registry)).map(({ address }) => address));
  const [from, to] = [side(watched.from), side(watched.to)];
  const all = new Set([...from, ...to]).size;
  const shared = [...from].filter((address) => to.has(address)).length;
  if (all === 0 || shared / all < watched.parity) watched.since = undefined;
  else watched.since ??= now;
}

function placesOf(records: readonly CandidateRecord[]): readonly Place[] {
  return records.flatMap(({ candidates, registry }) =>
    candidates.map(({ instance }) => ({ registry, address: instanceKey(instance.addresses[0]) })),
  );
}
