import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { typeUrls, type TypeUrl } from "@signalbox/envoy-api";
import { ClusterLoadAssignmentSchema } from "@signalbox/envoy-api/envoy/config/endpoint/v3/endpoint";
import { connect, deltaStream } from "@signalbox/test-servers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { sidecar } from "./fakes/endpoint-reader.ts";
import { FakeConsul } from "./fakes/fake-consul.ts";
import { FakeEureka } from "./fakes/fake-eureka.ts";
import { FakeKubernetes } from "./fakes/fake-kubernetes.ts";
import { Running } from "./fakes/running.ts";

const orders = "orders.shop.svc.cluster.local";
const clusters = [
  `outbound|8080||${orders}`,
  "outbound|8080||billing.shop.svc.cluster.local",
  "outbound|8000||web.example",
];
const routes = ["8080", "8000"];
/** What a proxy subscribes to, in its order: all clusters and listeners, and by name what these refer to. */
const subscriptions: readonly (readonly [TypeUrl, readonly string[]])[] = [
  [typeUrls.cluster, []],
  [typeUrls.endpoint, clusters],
  [typeUrls.listener, []],
  [typeUrls.route, routes],
];

let dir: string;
let stops: (() => unknown)[];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "replicas-"));
  stops = [() => rm(dir, { recursive: true, force: true })];
});
afterEach(async () => {
  for (const stop of stops.reverse()) await stop();
});

/** Sources of every kind that know the same services and disagree about them, with rules for all of it. */
async function sources() {
  const eureka = await new FakeEureka().start();
  const consul = await new FakeConsul().start();
  const kubernetes = await new FakeKubernetes().start();
  for (const server of [eureka, consul, kubernetes]) stops.push(() => server.stop());
  for (const ip of ["10.40.0.2", "10.40.0.1", "10.40.0.9", "10.0.1.1"])
    eureka.register(`orders-${ip}`, { app: "orders", ip, metadata: { version: "v1" } });
  eureka.register("billing-1", { app: "billing", ip: "10.0.1.9" });
  consul.set("billing", { address: "10.0.2.2" }, { address: "10.0.2.1", status: "critical" });
  for (const ip of ["10.40.0.1", "10.40.0.2", "10.40.0.3"]) kubernetes.pod(`orders-${ip}`, { app: "orders", ip });
  kubernetes.pod("orders-10.40.0.9", { app: "orders", ip: "10.40.0.9", deletedAt: "2026-01-01T00:01:00Z" });
  kubernetes.service("orders", "10.40.0.3", "10.40.0.1", "10.40.0.2");
  const web = { name: "web", hostname: "web.example", ports: [{ name: "http", number: 8000 }] };
  await writeFile(join(dir, "web.json"), JSON.stringify({ services: [{ ...web, endpoints: ["10.0.3.1:9000"] }] }));
  const config = {
    aggregate: { syncDeadlineMs: 1000 },
    registries: [
      { provider: "eureka", name: "main", urls: [`${eureka.url}/eureka`], timeoutSeconds: 1 },
      { provider: "consul", name: "main", url: consul.url },
      { provider: "kubernetes", name: "main", url: kubernetes.url },
      { provider: "static", name: "files", paths: ["web.json"] },
    ],
    identity: [
      { registries: ["eureka/*", "consul/*"], hostname: "{{name}}.shop.svc.cluster.local", namespace: "shop" },
    ],
    services: [
      {
        match: orders,
        merge: { split: { "eureka/main": 90, "kubernetes/main": 10 } },
        drift: { TERMINATING: "deprioritise" as const },
      },
    ],
    drift: { clusters: [{ registry: "kubernetes/main", podCidrs: ["10.40.0.0/16"] }] },
  };
  return { consul, eureka, config };
}

async function replica(config: Parameters<typeof Running.start>[0], startedAt: number): Promise<Running> {
  const running = await Running.start(config, startedAt, dir);
  stops.push(() => running.stop());
  return running;
}

function clientOf({ xdsPort }: Running) {
  const client = connect(xdsPort);
  const stream = deltaStream(client, sidecar);
  stops.push(() => {
    stream.close();
    client.close();
  });
  return stream;
}

type Versions = Readonly<Record<string, string>>;

/** The versions of all resources that a proxy gets, by type. */
async function versionsOf(running: Running): Promise<ReadonlyMap<TypeUrl, Versions>> {
  const stream = clientOf(running);
  const all = new Map<TypeUrl, Versions>();
  for (const [type, names] of subscriptions) {
    stream.subscribe(type, [...names]);
    const { resources } = await stream.next(type);
    all.set(type, Object.fromEntries(resources.map(({ name, version }) => [name, version])));
  }
  return all;
}

/** Two replicas that started on different days, and to which the sources spoke in a different order. */
async function twoReplicas() {
  const { config, consul, eureka } = await sources();
  const first = await replica(config, Date.UTC(2026, 0, 1));
  const complete = async (running: Running): Promise<void> => {
    const isRead = () => running.registries().every((line) => line.endsWith(" SYNCED"));
    await running.until("all sources", isRead);
    await running.pass(30_000);
  };
  await complete(first);
  eureka.mood = "hang";
  const second = await replica(config, Date.UTC(2026, 6, 14, 15, 9, 26, 535));
  await second.until("the others", () =>
    second
      .registries()
      .slice(1)
      .every((line) => line.endsWith(" SYNCED")),
  );
  await second.until("a catalog without Eureka", () => second.endpoints(orders)?.length === 3);
  // What passes now also moves the second one's history on: one endpoint comes and goes.
  consul.set("billing", { address: "10.0.2.2" }, { address: "10.0.2.3" });
  consul.publish();
  await second.until("the change", () => second.endpoints("billing.shop.svc.cluster.local")?.length === 2);
  consul.set("billing", { address: "10.0.2.1", status: "critical" }, { address: "10.0.2.2" });
  consul.publish();
  eureka.mood = undefined;
  await complete(second);
  await complete(first);
  return { consul, first, second };
}

describe("two replicas over the same sources", () => {
  it("publish the same versions of all resources, whenever they started and whoever spoke first", async () => {
    const { first, second } = await twoReplicas();
    expect(first.endpoints(orders)).toHaveLength(5);
    expect(second.signalbox.catalog().revision).not.toEqual(first.signalbox.catalog().revision);
    const [one, two] = [await versionsOf(first), await versionsOf(second)];
    expect(two).toEqual(one);
    expect(Object.keys(one.get(typeUrls.endpoint) ?? {}).sort()).toEqual([...clusters].sort());
    expect(Object.keys(one.get(typeUrls.route) ?? {}).sort()).toEqual([...routes].sort());
    for (const [type] of subscriptions) expect(Object.keys(one.get(type) ?? {}).length).toBeGreaterThan(0);
  });

  it("send nothing to a proxy that comes from the other one with what it has, and then only what changes", async () => {
    const { consul, first, second } = await twoReplicas();
    const known = await versionsOf(first);
    const stream = clientOf(second);
    for (const [type, names] of subscriptions)
      stream.subscribe(type, type === typeUrls.cluster || type === typeUrls.listener ? ["*"] : [...names], {
        ...known.get(type),
      });
    // The next thing that it has to say is the first real change.
    consul.set("billing", { address: "10.0.2.1" }, { address: "10.0.2.2" }, { address: "10.0.2.4" });
    consul.publish();
    await second.until("the change", () => second.endpoints("billing.shop.svc.cluster.local")?.length === 4);
    const isAboutBilling = async () => {
      const { resources } = await stream.next(typeUrls.endpoint);
      return resources.length > 0;
    };
    while (!(await isAboutBilling()));
    const said = stream.responses.flatMap(({ removedResources, resources }) => [
      ...resources.map(({ name }) => name),
      ...removedResources,
    ]);
    expect(said).toEqual(["outbound|8080||billing.shop.svc.cluster.local"]);
    const [resource] = stream.responses.flatMap(({ resources }) => resources);
    const assignment = resource?.resource && anyUnpack(resource.resource, ClusterLoadAssignmentSchema);
    expect(assignment?.endpoints.flatMap(({ lbEndpoints }) => lbEndpoints)).toHaveLength(4);
  });
});
