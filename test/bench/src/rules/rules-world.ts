import type { Catalog, CatalogEntry, CatalogInstance, ConfigObject } from "@signalbox/model";
import { objectKey, registryId } from "@signalbox/model";
import { World } from "../bus/world.ts";

/** A catalog with rules. */
export interface RulesWorldSize {
  readonly services: number;
  /** Instances of each service. */
  readonly instances: number;
  /** So many services have a VirtualService and a DestinationRule with two subsets. */
  readonly rules: number;
}

/** One kind of change, and the object after the change with this number. */
export interface RuleChange {
  readonly name: string;
  readonly object: (change: number) => ConfigObject;
}

const namespaces = 20;
/** Whose workloads are behind a Sidecar. */
const cutNamespace = "shop-3";
const provenance = { registry: registryId("bench", "rules"), object: "rules" };

/** The catalog of the bus benchmark with rules, the same in every run: all of it follows from the size alone. */
export class RulesWorld {
  readonly size: RulesWorldSize;
  readonly #services: readonly CatalogEntry[];

  constructor(size: RulesWorldSize) {
    this.size = size;
    const { services, instances } = size;
    const { entries } = new World({ services, instances, skewed: false }).content();
    this.#services = [...entries.values()].map((entry) => ({ ...entry, instances: entry.instances.map(versioned) }));
  }

  /** All of it; the rules only where they are wanted. */
  content(withRules: boolean): Omit<Catalog, "revision"> {
    const objects = withRules ? this.#rules() : [];
    return {
      entries: new Map(this.#services.map((entry) => [entry.key, entry])),
      workloads: new Map(),
      objects: new Map(objects.map((object) => [objectKey(object), object])),
    };
  }

  /** Changes of one rule, of every kind. */
  changes(): readonly RuleChange[] {
    return [
      { name: "weight of a VirtualService", object: (change) => this.#virtualService(this.#ruled(change), change) },
      { name: "subset of a DestinationRule", object: (change) => this.#destinationRule(this.#ruled(change), change) },
      { name: "an EnvoyFilter", object: envoyFilter },
      { name: "a Sidecar", object: (change) => this.#sidecar(change) },
    ];
  }

  /** A sidecar of one of the namespaces. */
  client(index: number): { readonly id: string; readonly cluster: string; readonly metadata: Record<string, string> } {
    const namespace = `shop-${index % namespaces}`;
    const address = `10.250.${Math.floor(index / 250)}.${1 + (index % 250)}`;
    const id = `sidecar~${address}~client-${index}.${namespace}~${namespace}.svc.cluster.local`;
    return { id, cluster: "bench", metadata: {} };
  }

  #rules(): readonly ConfigObject[] {
    const found: ConfigObject[] = [envoyFilter(0), this.#sidecar(0)];
    for (let rule = 0; rule < this.size.rules; rule++) {
      found.push(this.#virtualService(rule, 0), this.#destinationRule(rule, 0));
    }
    return found;
  }

  /** Which rule a change is about: each another one, spread over all. */
  #ruled(change: number): number {
    return (change * 7) % this.size.rules;
  }

  #nameOf(rule: number) {
    const { hostname, namespace } = this.#serviceOf(rule);
    return { host: hostname, namespace, name: hostname.slice(0, hostname.indexOf(".")) };
  }

  #serviceOf(rule: number) {
    const every = Math.max(1, Math.floor(this.size.services / this.size.rules));
    const entry = this.#services[(rule * every) % this.#services.length];
    if (entry === undefined) throw new RangeError("a world without services");
    return entry.service;
  }

  #virtualService(rule: number, change: number): ConfigObject {
    const { host, name, namespace } = this.#nameOf(rule);
    const weight = 1 + (change % 98);
    const route = [
      { destination: { host, subset: "v1" }, weight },
      { destination: { host, subset: "v2" }, weight: 100 - weight },
    ];
    return rules("VirtualService", namespace, name, { hosts: [host], http: [{ timeout: "5s", route }] });
  }

  #destinationRule(rule: number, change: number): ConfigObject {
    const { host, name, namespace } = this.#nameOf(rule);
    const subsets = [
      { name: "v1", labels: { version: "v1" } },
      {
        name: "v2",
        labels: { version: "v2" },
        trafficPolicy: { connectionPool: { http: { http1MaxPendingRequests: 100 + change } } },
      },
    ];
    return rules("DestinationRule", namespace, name, { host, subsets });
  }

  #sidecar(change: number): ConfigObject {
    const { host } = this.#nameOf(change % this.size.rules);
    return rules("Sidecar", cutNamespace, "default", { egress: [{ hosts: ["./*", `*/${host}`] }] });
  }
}

/** Half of the instances are of one version and half of the other. */
function versioned(instance: CatalogInstance, position: number): CatalogInstance {
  return { ...instance, labels: { ...instance.labels, version: position % 2 === 0 ? "v1" : "v2" } };
}

/** Patches the listeners of workloads of one namespace. */
function envoyFilter(change: number): ConfigObject {
  const value = { per_connection_buffer_limit_bytes: 32_768 + change };
  const configPatches = [
    { applyTo: "LISTENER", match: { context: "SIDECAR_OUTBOUND" }, patch: { operation: "MERGE", value } },
  ];
  return rules("EnvoyFilter", "shop-5", "buffers", { configPatches });
}

function rules(kind: string, namespace: string, name: string, spec: Readonly<Record<string, unknown>>): ConfigObject {
  return { kind, namespace, name, labels: {}, annotations: {}, createdAt: 0, spec, provenance };
}
