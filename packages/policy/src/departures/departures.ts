import { instanceKey } from "@signalbox/model";
import type { RegistryId, ServiceInstance, ServiceKey, ServiceRecord } from "@signalbox/model";
import { withFinding, type CandidateRecord } from "../candidate.ts";
import type { Departure } from "../explanation.ts";
import { withHealth } from "../health/health.ts";

/** Departures of one service that are remembered. */
const remembered = 32;

interface Gone extends Departure {
  readonly instance: ServiceInstance;
}

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

  /** Takes in what the registries say about a service now; no records: it is gone. `now` in epoch milliseconds. */
  see(service: ServiceKey, records: readonly ServiceRecord[], now: number): void {
    const memory = this.#services.get(service);
    if (memory === undefined) {
      if (records.length > 0) this.#services.set(service, { records, gone: [] });
      return;
    }
    if (sameRecords(memory.records, records)) return;
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
    const still = memory.gone.filter((one) => !here.has(keyOf(one.registry, one.instance)));
    memory.records = records;
    memory.gone =
      left.length === 0 && still.length === memory.gone.length ? still : [...still, ...left].slice(-remembered);
    if (records.length === 0 && memory.gone.length === 0) this.#services.delete(service);
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

  /** Adds the endpoints that left not longer than `drainForMs` ago, as draining. */
  drain(
    service: ServiceKey,
    records: readonly CandidateRecord[],
    drainForMs: number,
    now: number,
  ): readonly CandidateRecord[] {
    const draining = this.#draining(service, drainForMs, now);
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

  #draining(service: ServiceKey, drainForMs: number, now: number): readonly Gone[] {
    if (drainForMs <= 0) return [];
    return (this.#services.get(service)?.gone ?? []).filter(({ at }) => now - at < drainForMs);
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
    for (const instance of instances) yield [keyOf(registry, instance), { registry, instance }];
  }
}

function keyOf(registry: RegistryId, { addresses, servicePort }: ServiceInstance): string {
  return `${registry}\0${servicePort}\0${instanceKey(addresses[0])}`;
}
