import { registryId, type ConfigObject, type ServiceRecord } from "@signalbox/model";
import { plainRecord } from "../../plain-record.ts";
import { addressOf, churnAddress } from "../addresses.ts";
import type { MeshSize } from "../cell.ts";

/** The registry that says what the mesh is. */
export const meshRegistry = registryId("bench", "mesh");

/** A made-up mesh that changes when it is told to. All of it follows from its size and the changes. */
export class Mesh {
  readonly size: MeshSize;
  /** Addresses that are not those from the start, by service and endpoint. */
  readonly #moved = new Map<string, string>();
  #added = 0;
  /** How often everything has moved. */
  #moves = 0;

  constructor(size: MeshSize) {
    this.size = size;
  }

  /** Every service. */
  records(): readonly ServiceRecord[] {
    return Array.from({ length: this.size.services }, (_, service) => this.record(service));
  }

  /** Every rule. */
  objects(): readonly ConfigObject[] {
    return Array.from({ length: this.size.rules }, (_, rule) => this.rule("1", rule));
  }

  /** Moves an endpoint. Throws a RangeError for one that is not there. */
  change(service: number, endpoint: number, address: string): ServiceRecord {
    const { endpoints, services } = this.size;
    if (!(service < services && endpoint < endpoints)) throw new RangeError("there is no such endpoint");
    this.#moved.set(`${service}/${endpoint}`, address);
    return this.record(service);
  }

  /** Moves every endpoint at once, the first one of all to this address. */
  moveAll(address: string): void {
    this.#moves++;
    this.#moved.clear();
    this.#moved.set("0/0", address);
  }

  /** The change of a churn with this number: an endpoint of service `change` modulo all. */
  churn(change: number): ServiceRecord {
    const { endpoints, services } = this.size;
    return this.change(change % services, Math.floor(change / services) % endpoints, churnAddress(change));
  }

  /** One more service, whose first endpoint has this address. */
  add(name: string, address: string): ServiceRecord {
    const service = this.size.services + ++this.#added;
    this.#moved.set(`${service}/0`, address);
    return this.record(service, name);
  }

  /** The VirtualService with this number, which looks for a header of this value. The first one is about service 1. */
  rule(value: string, rule = 0): ConfigObject {
    const { rules, services } = this.size;
    const service = (1 + rule * Math.max(1, Math.floor(services / Math.max(1, rules)))) % services;
    const host = hostOf(`svc-${service}`);
    const route = [{ destination: { host } }];
    const canary = { match: [{ headers: { "x-canary": { exact: value } } }], route };
    return {
      kind: "VirtualService",
      namespace: this.#namespaceOf(service),
      name: `rule-${rule}`,
      labels: {},
      annotations: {},
      spec: { hosts: [host], http: [canary, { route }] },
      provenance: { registry: meshRegistry, object: `rule-${rule}` },
    };
  }

  /** One service as it is now. */
  record(service: number, name = `svc-${service}`): ServiceRecord {
    return plainRecord({
      registry: meshRegistry,
      hostname: hostOf(name),
      namespace: this.#namespaceOf(service),
      instances: Array.from({ length: this.size.endpoints }, (_, endpoint) => ({
        id: `i${endpoint}`,
        ip: this.#moved.get(`${service}/${endpoint}`) ?? addressOf(service, endpoint, this.size.endpoints, this.#moves),
        port: 80,
        version: `v${(endpoint % 2) + 1}`,
      })),
    });
  }

  #namespaceOf(service: number): string {
    return namespaceOf(service % this.size.namespaces, this.size);
  }
}

/** The name of a namespace by its number; `default` where there is one only. */
export function namespaceOf(number: number, { namespaces }: Pick<MeshSize, "namespaces">): string {
  return namespaces === 1 ? "default" : `team-${number}`;
}

function hostOf(name: string): string {
  return `${name}.mesh.internal`;
}
