import { instanceKey } from "@signalbox/model";
import type { RegistryId, ServiceInstance, ServiceKey, ServiceRecord } from "@signalbox/model";
import { withFinding, type CandidateRecord } from "../candidate.ts";
import type { Departure } from "../explanation.ts";
import { withHealth } from "../health/health.ts";

/** Departures of one service that are remembered. */
const remembered = 32;
/** Services without any endpoint of which they are remembered: those that went last. */
const rememberedServices = 1_000;

interface Gone extends Departure {
  /** Present while it may have to be drained. */
  readonly instance?: ServiceInstance;
}

type Draining = Gone & { readonly instance: ServiceInstance };

interface Memory {
  records: readonly ServiceRecord[];
  gone: readonly Gone[];
}

/**
 * Remembers which endpoints left a service, so that they can be drained and that people can be told. Costs nothing for services that do
 * not change.
 */
export class Departures {
  readonly #services = new Map<ServiceKey, Memory>();
  /** Those of them that have no records, the longest gone first. */
  readonly #empty = new Set<ServiceKey>();

  /** Takes in what the registries say about a service now; no records: it is gone. `now` in epoch milliseconds. */
  see(service: ServiceKey, records: readonly ServiceRecord[], now: number): void {
    const memory = this.#services.get(service);
    if (memory === undefined) {
      if (records.length > 0) this.#services.set(service, { records, gone: [] });
      return;
    }
    if (sameRecords(memory.records, records)) return;
    this.#empty.delete(service);
    const here = new Map(endpointsOf(records));
    const left = [...endpointsOf(memory.records)].flatMap(([key, { instance, registry }]): Gone[] =>
      here.has(key)
        ? []
        : [
            {
              registry,
              instance,
              address: instanceKey(instance.addresses[0]),
              servicePort: instance.servicePort,
              at: now,
            },
          ],
    );
    // Who is back, as the same or as another instance, has not left.
    const still = memory.gone.filter((one) => !here.has(keyOf(one.registry, one.servicePort, one.address)));
    memory.records = records;
    memory.gone =
      left.length === 0 && still.length === memory.gone.length ? still : [...still, ...left].slice(-remembered);
    if (records.length > 0) return;
    if (memory.gone.length === 0) this.#services.delete(service);
    else {
      // Nothing is left that they could be drained beside.
      this.#letGo(service, 0);
      this.#forget(service);
    }
  }

  /** A service is gone: the longest gone ones are forgotten where there are too many. */
  #forget(service: ServiceKey): void {
    this.#empty.add(service);
    for (const oldest of this.#empty) {
      if (this.#empty.size <= rememberedServices) return;
      this.#empty.delete(oldest);
      this.#services.delete(oldest);
    }
  }

  /** The last endpoints that left a service, oldest first. */
  of(service: ServiceKey): readonly Departure[] {
    return (this.#services.get(service)?.gone ?? []).map(({ address, at, registry, servicePort }) => ({
      registry,
      address,
      servicePort,
      at,
    }));
  }

  /** Adds the endpoints that left not longer than `drainForMs` ago, as draining. The instances of those that left before are let go. */
  drain(
    service: ServiceKey,
    records: readonly CandidateRecord[],
    drainForMs: number,
    now: number,
  ): readonly CandidateRecord[] {
    const draining = this.#draining(service, drainForMs, now);
    this.#letGo(service, draining.length);
    if (draining.length === 0) return records;
    return records.map((record) => {
      const own = draining.filter(({ registry }) => registry === record.registry);
      if (own.length === 0) return record;
      const added = own.map(({ at, instance, registry }) =>
        withFinding(
          withHealth({ instance, registry, findings: [], priority: 0 }, "DRAINING"),
          "health",
          "DRAINING",
          at,
        ),
      );
      return { ...record, candidates: [...record.candidates, ...added] };
    });
  }

  /** When the next endpoint of a service has been drained; undefined where none is. */
  dueAt(service: ServiceKey, drainForMs: number, now: number): number | undefined {
    const ends = this.#draining(service, drainForMs, now).map(({ at }) => at + drainForMs);
    return ends.length === 0 ? undefined : Math.min(...ends);
  }

  #draining(service: ServiceKey, drainForMs: number, now: number): readonly Draining[] {
    if (drainForMs <= 0) return [];
    return (this.#services.get(service)?.gone ?? []).filter(
      (one): one is Draining => now - one.at < drainForMs && one.instance !== undefined,
    );
  }

  /** Keeps the instances of the last `draining` departures only. */
  #letGo(service: ServiceKey, draining: number): void {
    const memory = this.#services.get(service);
    const held = memory?.gone.filter(({ instance }) => instance !== undefined).length ?? 0;
    if (memory === undefined || held <= draining) return;
    const first = memory.gone.length - draining;
    memory.gone = memory.gone.map((one, index) => {
      if (index >= first || one.instance === undefined) return one;
      const { address, at, registry, servicePort } = one;
      return { address, at, registry, servicePort };
    });
  }
}

function sameRecords(a: readonly ServiceRecord[], b: readonly ServiceRecord[]): boolean {
  return a.length === b.length && a.every((record, index) => record.instances === b[index]?.instances);
}

function* endpointsOf(
  records: readonly ServiceRecord[],
): Generator<readonly [string, { readonly registry: RegistryId; readonly instance: ServiceInstance }]> {
  for (const { instances, service } of records) {
    const { registry } = service.provenance;
    for (const instance of instances)
      yield [keyOf(registry, instance.servicePort, instanceKey(instance.addresses[0])), { registry, instance }];
  }
}

function keyOf(registry: RegistryId, servicePort: string, address: string): string {
  return `${registry}\0${servicePort}\0${address}`;
}
