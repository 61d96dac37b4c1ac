import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Cluster_DiscoveryType, ClusterSchema } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import type { Steps } from "@signalbox/slices";
import { resourceOf, type Resource } from "../resource.ts";
import type { SharedNames } from "./names.ts";
import { Warming } from "./warming.ts";

/** More than one step of anything. */
const count = 160;

/** What was put into each cluster. */
const serviceNames = new Map<Resource, string>();

function cluster(at: number, serviceName: string): Resource {
  const name = `c${at}`;
  const message = create(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { serviceName },
  });
  const resource = resourceOf(name, toBinary(ClusterSchema, message));
  serviceNames.set(resource, serviceName);
  return resource;
}

const endpointNames = Array.from({ length: count }, (_, at) => (at % 10 === 0 ? "shared" : `e${at}`));
// Lists that several streams are sent as the same object, as a view's are.
const clusterLists = [
  endpointNames.map((name, at) => cluster(at, name)),
  endpointNames.map((name, at) => cluster(at, at === 3 ? "e4" : name)),
];
const endpointLists = [0, 1, 70].map((from) =>
  [...new Set(endpointNames.slice(from))].map((name) => resourceOf(name, new Uint8Array(0))),
);
const asks: readonly SharedNames[] = [0, 5].map((from) => ({ names: new Set(endpointNames.slice(from)) }));

/** What one client waits for, kept in the plainest way. */
class Model {
  readonly waits = new Map<string, string>();

  sent(clusters: readonly Resource[], asked: SharedNames | undefined): void {
    for (const cluster of clusters) {
      const { name } = cluster;
      const eds = serviceNames.get(cluster) ?? "";
      this.waits.delete(name);
      if (asked === undefined || asked.names.has(eds)) this.waits.set(name, eds);
    }
  }

  drop(which: (cluster: string, endpoints: string) => boolean): void {
    for (const [one, eds] of this.waits) if (which(one, eds)) this.waits.delete(one);
  }
}

const step = fc.oneof(
  fc.record({
    do: fc.constant("clusters" as const),
    list: fc.nat({ max: 1 }),
    some: fc.boolean(),
    ask: fc.option(fc.nat({ max: 1 })),
  }),
  fc.record({ do: fc.constant("endpoints" as const), list: fc.nat({ max: 2 }) }),
  fc.record({ do: fc.constant("gone" as const), cluster: fc.nat({ max: count - 1 }) }),
  fc.record({ do: fc.constant("asked" as const), ask: fc.nat({ max: 1 }), shared: fc.boolean() }),
  // Its steps are done one by one while other things happen.
  fc.record({ do: fc.constant("prepare" as const), ask: fc.nat({ max: 1 }) }),
);

describe("what clients wait for", () => {
  it("is what a plain model of each says, whatever they share and whichever goes its own way", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat({ max: 2 }), step), { maxLength: 30 }), (steps) => {
        const clients = [0, 1, 2].map((): Client => ({ warming: new Warming(), model: new Model(), preparing: [] }));
        for (const [who, one] of steps) {
          const client = clients[who];
          if (client === undefined) continue;
          client.preparing = client.preparing.filter((steps) => steps.next().done !== true);
          run(client, one);
          for (const { warming, model } of clients) {
            const expected = new Set(model.waits.values());
            expect(warming.names.size).toBe(expected.size);
            for (const name of new Set(endpointNames)) expect(warming.names.has(name)).toBe(expected.has(name));
          }
        }
      }),
      { numRuns: 150 },
    );
  });
});

interface Client {
  readonly warming: Warming;
  readonly model: Model;
  preparing: Steps<void>[];
}

function run(client: Client, one: typeof step extends fc.Arbitrary<infer T> ? T : never): void {
  const { warming, model } = client;
  switch (one.do) {
    case "clusters": {
      const whole = clusterLists[one.list] ?? [];
      const list = one.some ? whole.slice(2, 5) : whole;
      const shared = one.ask === null ? undefined : asks[one.ask];
      model.sent(list, shared);
      warming.clustersSent(list, shared && { covers: (name: string) => shared.names.has(name), sharedNames: shared });
      break;
    }
    case "endpoints": {
      const list = endpointLists[one.list] ?? [];
      model.drop((_, eds) => list.some(({ name }) => name === eds));
      warming.endpointsSent(list);
      break;
    }
    case "gone":
      model.drop((name) => name === `c${one.cluster}`);
      warming.clustersGone([`c${one.cluster}`]);
      break;
    case "prepare":
      client.preparing.push(warming.preparing(asks[one.ask]?.names ?? new Set()));
      break;
    case "asked": {
      const shared = asks[one.ask];
      if (shared === undefined) break;
      model.drop((_, eds) => !shared.names.has(eds));
      warming.endpointsAsked({
        covers: (name) => shared.names.has(name),
        sharedNames: one.shared ? shared : undefined,
      });
    }
  }
}
