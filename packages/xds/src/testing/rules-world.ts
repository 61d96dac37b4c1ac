import { typeUrls } from "@signalbox/envoy-api";
import type { ChangeEvent } from "@signalbox/event-bus";
import {
  objectKey,
  type Catalog,
  type CatalogEntry,
  type ConfigObject,
  type ObjectKey,
  type ServiceKey,
} from "@signalbox/model";
import type { ResourceView } from "@signalbox/xds-server";
import fc from "fast-check";
import { parseNode } from "../node.ts";
import { clients, service } from "./arbitraries.ts";
import { catalogOf, entryOf } from "./catalog.ts";
import { rule } from "./rules.ts";

/** One node of each kind of client, and one that rules may select. */
export const nodes = {
  ...clients,
  "labelled sidecar": parseNode({
    id: "sidecar~10.0.0.2~b.two~two.svc.cluster.local",
    metadata: { LABELS: { app: "web" } },
    locality: { region: "r1", zone: "z1" },
  }),
};

/** What changes with one event. */
export const step = fc.record({
  services: fc.array(service, { maxLength: 2 }),
  rules: fc.array(rule, { maxLength: 2 }),
  removedServices: fc.array(fc.nat(8), { maxLength: 1 }),
  removedRules: fc.array(fc.nat(8), { maxLength: 1 }),
});
/** One of them. */
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** What translators were told so far. */
export class World {
  readonly entries = new Map<ServiceKey, CatalogEntry>();
  readonly objects = new Map<ObjectKey, ConfigObject>();

  /** One step as an event. */
  next({ removedRules, removedServices, rules, services }: Step, sequence: number): ChangeEvent {
    const entries = deltaOf(
      this.entries,
      new Map(services.map(entryOf).map((entry) => [entry.key, entry])),
      removedServices,
    );
    const objects = deltaOf(this.objects, new Map(rules.map((one) => [objectKey(one), one])), removedRules);
    const revision = { epoch: "1", sequence };
    const previous = { epoch: "1", sequence: sequence - 1 };
    const delta = { entries, objects, workloads: { upserted: [], removed: [] } };
    return { v: 1, type: "delta", previous, revision, delta };
  }

  /** All of it, in the other order. */
  catalog(): Catalog {
    return { ...catalogOf([...this.entries.values()].reverse()), objects: new Map([...this.objects].reverse()) };
  }
}

function deltaOf<K, V>(held: Map<K, V>, upserted: ReadonlyMap<K, V>, removals: readonly number[]) {
  const keys = [...held.keys()].filter((key) => !upserted.has(key));
  const removed = [...new Set(removals.flatMap((index) => (index < keys.length ? [keys[index] as K] : [])))];
  for (const [key, value] of upserted) held.set(key, value);
  for (const key of removed) held.delete(key);
  return { upserted: [...upserted.values()], removed };
}

/** All names and versions of a view. */
export function contents(view: ResourceView): unknown {
  return Object.values(typeUrls).map((type) => ({
    type,
    version: view.version(type),
    resources: [...view.resources(type).values()].map(({ name, version }) => `${name} ${version}`).sort(),
  }));
}
