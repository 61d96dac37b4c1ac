import {
  objectKey,
  registryId,
  serviceKey,
  type ConfigObject,
  type ServiceKey,
  type ServiceRecord,
} from "@signalbox/model";
import type { RegistryUpdate } from "@signalbox/registry";
import { plainRecord } from "../plain-record.ts";

/** How large the world is, and how much of it changes in a second. */
export interface SoakWorldSize {
  readonly services: number;
  readonly instances: number;
  readonly churn: number;
}

const namespace = "shop";
/** So many services come in a second, and as many of an earlier one go. */
const comings = 5;
/** Rules that change in a second: two roam, one comes and one goes. */
const rules = 4;

/** A world that changes for ever and never grows. All of it follows from its size and the second. */
export class SoakWorld {
  readonly id = registryId("bench", "soak");
  readonly #size: SoakWorldSize;

  constructor(size: SoakWorldSize) {
    this.#size = size;
  }

  /** All of it before the first second. */
  snapshot(): RegistryUpdate {
    const records = Array.from({ length: this.#size.services }, (_, index) => this.#record(`service-${index}`, index));
    return { type: "snapshot", records, objects: this.#rules(0) };
  }

  /**
   * The changes of one second: endpoints move, services that were never there before come in a namespace that is as new, those of the second before go
   * with theirs, rules move on to other services, and one comes for a host that nobody ever named, for which another one goes. The first
   * service's first endpoint is then at `markOf(second)`.
   */
  second(second: number): RegistryUpdate {
    const { churn, services } = this.#size;
    const moves = Math.max(1, churn - 2 * comings - rules);
    const upserted = [this.#record("service-0", 0, markOf(second))];
    for (let move = 1; move < moves && move < services; move++) {
      const index = 1 + ((second * moves + move) % (services - 1));
      upserted.push(this.#record(`service-${index}`, index, `10.199.${second % 250}.${move % 250}`));
    }
    const removed: ServiceKey[] = [];
    for (let one = 0; one < comings; one++) {
      const guest = (at: number) => [`guest-${at * comings + one}`, `visit-${at}`] as const;
      const [name, visited] = guest(second);
      upserted.push(this.#record(name, services + one, undefined, visited));
      if (second === 1) continue;
      const [gone, left] = guest(second - 1);
      removed.push(serviceKey({ hostname: hostOf(gone, left), namespace: left }));
    }
    const objects = { upserted: this.#rules(second), removed: [objectKey(this.#passing(second - 1))] };
    return { type: "delta", records: { upserted, removed }, objects };
  }

  #rules(second: number): readonly ConfigObject[] {
    const name = `service-${1 + (second % Math.max(1, this.#size.services - 1))}`;
    const host = hostOf(name);
    const weight = 1 + (second % 98);
    const subsets = ["v1", "v2"].map((version) => ({ name: version, labels: { version } }));
    const route = [
      { destination: { host, subset: "v1" }, weight },
      { destination: { host, subset: "v2" }, weight: 100 - weight },
    ];
    // One name each: what they are about moves on, and what was made for the last service has to go.
    return [
      this.#object("VirtualService", "roaming", { hosts: [host], http: [{ route }] }),
      this.#object("DestinationRule", "roaming", { host, subsets }),
      this.#passing(second),
    ];
  }

  /** The rule of one second for a host that is no service. */
  #passing(second: number): ConfigObject {
    const route = [{ destination: { host: hostOf("service-0") } }];
    return this.#object("VirtualService", `passing-${second}`, {
      hosts: [`passing-${second}.example.com`],
      http: [{ route }],
    });
  }

  #object(kind: string, name: string, spec: object): ConfigObject {
    const provenance = { registry: this.id, object: `${kind} ${name}` };
    return { kind, namespace, name, labels: {}, annotations: {}, spec, provenance };
  }

  #record(name: string, index: number, first?: string, of: string = namespace): ServiceRecord {
    return plainRecord({
      registry: this.id,
      hostname: hostOf(name, of),
      namespace: of,
      instances: Array.from({ length: this.#size.instances }, (_, at) => {
        const host = index * this.#size.instances + at;
        const ip = at === 0 && first !== undefined ? first : `10.${host >> 16}.${(host >> 8) & 255}.${host & 255}`;
        return { id: `${name}-${at}`, ip, port: 8080, version: `v${1 + (at % 2)}` };
      }),
    });
  }
}

/** The address by which a client knows that it has the changes of a second. There are enough for six days. */
export function markOf(second: number): string {
  const hundreds = Math.floor(second / 100);
  return `10.${200 + Math.floor(hundreds / 100)}.${100 + (hundreds % 100)}.${100 + (second % 100)}`;
}

function hostOf(name: string, of: string = namespace): string {
  return `${name}.${of}.svc.cluster.local`;
}
