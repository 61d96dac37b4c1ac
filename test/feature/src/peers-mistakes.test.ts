import type { SignalboxConfigInput } from "signalbox";
import { afterEach, describe, expect, it } from "vitest";
import { followEndpoints } from "./fakes/endpoint-reader.ts";
import { FakeConsul } from "./fakes/fake-consul.ts";
import { FakeEureka } from "./fakes/fake-eureka.ts";
import { FakeKubernetes } from "./fakes/fake-kubernetes.ts";
import { Running } from "./fakes/running.ts";

// Ways in which tools like this one lose endpoints, keep dead ones or send traffic wrongly. Each test is a whole Signalbox before fake servers.

const stops: (() => unknown)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function eurekaServer(): Promise<FakeEureka> {
  const server = await new FakeEureka().start();
  stops.push(() => server.stop());
  return server;
}

async function consulServer(index?: bigint): Promise<FakeConsul> {
  const server = await new FakeConsul(index).start();
  stops.push(() => server.stop());
  return server;
}

async function kubernetesServer(): Promise<FakeKubernetes> {
  const server = await new FakeKubernetes().start();
  stops.push(() => server.stop());
  return server;
}

async function start(config: SignalboxConfigInput): Promise<Running> {
  const running = await Running.start(config);
  stops.push(() => running.stop());
  return running;
}

const eurekaEntry = (name: string, { url }: FakeEureka, more: object = {}) => ({
  ...{ provider: "eureka", name, urls: [`${url}/eureka`], timeoutSeconds: 1 },
  ...more,
});
const consulEntry = (name: string, { url }: FakeConsul, more: object = {}) => ({
  ...{ provider: "consul", name, url },
  ...more,
});

const minute = 60_000;
/** `10.0.<net>.1:8080` and so on. */
const addresses = (net: number, count: number): string[] =>
  Array.from({ length: count }, (_, at) => `10.0.${net}.${at + 1}:8080`);
const ipOf = (address: string): string => address.replace(/:.*/, "");

/** Registers one instance of each name, at 10.0.<net>.1 and so on. */
function registerEach(server: FakeEureka, net: number, names: readonly string[]): void {
  for (const [at, app] of names.entries()) server.register(`${app}-1`, { app, ip: `10.0.${net}.${at + 1}` });
}

describe("two registries of one kind", () => {
  async function twoEurekas() {
    const [one, two] = [await eurekaServer(), await eurekaServer()];
    one.register("orders-1", { app: "orders", ip: "10.0.1.1" });
    two.register("orders-2", { app: "orders", ip: "10.0.2.1" });
    two.register("billing-1", { app: "billing", ip: "10.0.2.2" });
    const running = await start({ registries: [eurekaEntry("one", one), eurekaEntry("two", two)] });
    await running.has("orders.eureka", ["10.0.1.1:8080", "10.0.2.1:8080"]);
    await running.has("billing.eureka", ["10.0.2.2:8080"]);
    return { one, two, running };
  }

  it("1. two Eurekas, one times out: its instances stay, and the other one is followed", async () => {
    const { one, two, running } = await twoEurekas();
    two.mood = "hang";
    await running.until("the failure", () => running.registries()[1] === "eureka/two SYNCED UNREACHABLE");
    one.register("orders-3", { app: "orders", ip: "10.0.1.3" });
    await running.has("orders.eureka", ["10.0.1.1:8080", "10.0.1.3:8080", "10.0.2.1:8080"]);
    await running.reads(one, 3);
    expect(running.registries()).toEqual(["eureka/one SYNCED", "eureka/two SYNCED UNREACHABLE"]);
    expect(running.endpoints("orders.eureka")).toEqual(["10.0.1.1:8080", "10.0.1.3:8080", "10.0.2.1:8080"]);
    expect(running.endpoints("billing.eureka")).toEqual(["10.0.2.2:8080"]);
  });

  it("2. all Eurekas time out: nothing changes, and no proxy is told anything", async () => {
    const { one, two, running } = await twoEurekas();
    const proxy = followEndpoints(running.xdsPort, "orders.eureka");
    stops.push(() => proxy.close());
    expect(await proxy.next()).toHaveLength(2);
    const before = running.signalbox.catalog();
    one.mood = "hang";
    two.mood = "hang";
    await running.until("both failures", () => running.registries().every((line) => line.endsWith("UNREACHABLE")));
    await running.reads(one, 3);
    expect(running.signalbox.catalog().revision).toEqual(before.revision);
    expect(running.signalbox.catalog().entries).toEqual(before.entries);
    expect(proxy.count()).toBe(1);
  });

  it("11. the same application in two Eurekas is their union, whichever is read first", async () => {
    const [one, two] = [await eurekaServer(), await eurekaServer()];
    one.register("orders-1", { app: "orders", ip: "10.0.1.1", metadata: { version: "v1" } });
    two.register("orders-2", { app: "orders", ip: "10.0.2.1", metadata: { version: "v1" } });
    // Both know this one, and differ about it: the first registry of the configuration has the say.
    one.register("orders-3", { app: "orders", ip: "10.0.3.1", metadata: { version: "v1" } });
    two.register("orders-3", { app: "orders", ip: "10.0.3.1", metadata: { version: "v2" } });
    const union = ["10.0.1.1:8080", "10.0.2.1:8080", "10.0.3.1:8080"];
    const seen = new Set<string>();
    for (const late of [one, two]) {
      late.mood = "hang";
      const running = await start({
        aggregate: { syncDeadlineMs: 1000 },
        registries: [eurekaEntry("one", one), eurekaEntry("two", two)],
      });
      const alone = late === one ? ["10.0.2.1:8080", "10.0.3.1:8080"] : ["10.0.1.1:8080", "10.0.3.1:8080"];
      await running.has("orders.eureka", alone);
      late.mood = undefined;
      await running.has("orders.eureka", union);
      const { revision } = running.signalbox.catalog();
      await running.reads(one, 3);
      expect(running.signalbox.catalog().revision).toEqual(revision);
      const [entry] = [...running.signalbox.catalog().entries.values()];
      expect(entry?.instances.map(({ labels }) => labels["version"])).toEqual(["v1", "v1", "v1"]);
      seen.add(JSON.stringify([entry?.versions, entry?.instances]));
    }
    expect(seen.size).toBe(1);
  });
});

describe("answers of Eureka", () => {
  const apology = { timestamp: "2026-01-01", status: 500, error: "Internal Server Error", path: "/eureka/apps" };

  it.each([
    ["500 with a JSON body", 500, apology, "UNREACHABLE"],
    ["500 with an empty list", 500, { applications: { apps__hashcode: "", application: [] } }, "UNREACHABLE"],
    ["200 with an error as its body", 200, apology, "PROTOCOL_ERROR"],
  ])("3. %s is an error, not an empty catalog", async (_name, status, body, problem) => {
    const eureka = await eurekaServer();
    registerEach(eureka, 1, ["orders", "billing"]);
    const running = await start({ registries: [eurekaEntry("main", eureka)] });
    await running.has("orders.eureka", ["10.0.1.1:8080"]);
    eureka.mood = { status, body };
    await running.until("the failure", () => running.registries()[0] === `eureka/main SYNCED ${problem}`);
    await running.reads(eureka, 3);
    expect(running.endpoints("orders.eureka")).toEqual(["10.0.1.1:8080"]);
    expect(running.endpoints("billing.eureka")).toEqual(["10.0.1.2:8080"]);
    eureka.mood = undefined;
    eureka.cancel("billing-1");
    await running.has("billing.eureka", undefined);
  });

  it("4. a service that is removed leaves; what is more than 30 % of the source only after the guard's time", async () => {
    const names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    const eureka = await eurekaServer();
    registerEach(eureka, 1, names);
    const running = await start({ registries: [eurekaEntry("main", eureka)] });
    await running.has("j.eureka", ["10.0.1.10:8080"]);
    eureka.cancel("j-1");
    await running.has("j.eureka", undefined);
    // Long after, so that it does not count together with what follows.
    await running.pass(2 * minute);
    for (const name of ["a", "b", "c", "d"]) eureka.cancel(`${name}-1`);
    await running.until("the guard", async () => (await running.guards()).length > 0);
    expect(await running.guards()).toMatchObject([{ registry: "eureka/main", scope: "source", held: 4 }]);
    await running.reads(eureka, 5);
    for (const [at, name] of ["a", "b", "c", "d"].entries())
      expect(running.endpoints(`${name}.eureka`)).toEqual([`10.0.1.${at + 1}:8080`]);
    await running.pass(5 * minute);
    for (const name of ["a", "b", "c", "d"]) await running.has(`${name}.eureka`, undefined);
    expect(running.endpoints("e.eureka")).toEqual(["10.0.1.5:8080"]);
  });

  it("7. all instances are down and left out: held, then an empty answer, and the cluster stays", async () => {
    const eureka = await eurekaServer();
    for (const ip of ["10.0.1.1", "10.0.1.2"]) eureka.register(`orders-${ip}`, { app: "orders", ip });
    const running = await start({ registries: [eurekaEntry("main", eureka, { status: { DOWN: "omit" } })] });
    await running.has("orders.eureka", ["10.0.1.1:8080", "10.0.1.2:8080"]);
    const proxy = followEndpoints(running.xdsPort, "orders.eureka");
    stops.push(() => proxy.close());
    expect(await proxy.next()).toHaveLength(2);
    for (const ip of ["10.0.1.1", "10.0.1.2"]) eureka.register(`orders-${ip}`, { app: "orders", ip, status: "DOWN" });
    await running.until("the guard", async () => (await running.guards()).length > 0);
    await running.pass(minute);
    expect(running.endpoints("orders.eureka")).toEqual(["10.0.1.1:8080", "10.0.1.2:8080"]);
    await running.pass(5 * minute);
    await running.has("orders.eureka", []);
    expect(await proxy.next()).toEqual([]);
    const late = followEndpoints(running.xdsPort, "orders.eureka");
    stops.push(() => late.close());
    expect(await late.next()).toEqual([]);
  });

  it("9. UP with an override of OUT_OF_SERVICE is not eligible", async () => {
    const [eureka, consul] = [await eurekaServer(), await consulServer()];
    eureka.register("orders-1", { app: "orders", ip: "10.0.1.1", status: "UP", override: "OUT_OF_SERVICE" });
    consul.set("orders", { address: "10.0.2.1" });
    const running = await start({
      registries: [eurekaEntry("main", eureka), consulEntry("main", consul)],
      identity: [{ hostname: "{{name}}.prod.example" }],
      services: [{ match: "*", merge: { prefer: ["eureka/main", "consul/main"] } }],
    });
    await running.until("both", () => running.registries().every((line) => line.endsWith("SYNCED")));
    await running.has("orders.prod.example", ["10.0.2.1:8080"]);
    eureka.register("orders-2", { app: "orders", ip: "10.0.1.2" });
    // Now the first one has somebody for the traffic; the one that is out of service is shown, and gets none.
    await running.has("orders.prod.example", ["10.0.1.1:8080 DRAINING", "10.0.1.2:8080"]);
    const proxy = followEndpoints(running.xdsPort, "orders.prod.example");
    stops.push(() => proxy.close());
    expect((await proxy.next()).map(({ address, health }) => [address, health])).toEqual([
      ["10.0.1.1:8080", "DRAINING"],
      ["10.0.1.2:8080", "HEALTHY"],
    ]);
  });

  it("10. one instance with a host name among IP addresses: only that one is treated differently", async () => {
    const eureka = await eurekaServer();
    eureka.register("orders-1", { app: "orders", ip: "10.0.1.1" });
    eureka.register("orders-2", { app: "orders", hostName: "legacy.example" });
    eureka.register("orders-3", { app: "orders", ip: "10.0.1.3" });
    const registries = [
      eurekaEntry("named", eureka, { domain: "named" }),
      eurekaEntry("without", eureka, { domain: "without", hostnames: "omit" }),
    ];
    const running = await start({ registries });
    await running.has("orders.named", ["10.0.1.1:8080", "10.0.1.3:8080", "legacy.example"]);
    await running.has("orders.without", ["10.0.1.1:8080", "10.0.1.3:8080"]);
  });

  it("12. a source that is silent for more than two minutes is still served, and marked", async () => {
    const [near, remote] = [await eurekaServer(), await eurekaServer()];
    near.register("orders-1", { app: "orders", ip: "10.0.1.1" });
    remote.register("orders-2", { app: "orders", ip: "10.0.2.1" });
    const registries = [eurekaEntry("near", near), eurekaEntry("remote", remote, { staleAfter: "1m" })];
    const running = await start({ registries });
    await running.has("orders.eureka", ["10.0.1.1:8080", "10.0.2.1:8080"]);
    remote.mood = "hang";
    await running.pass(3 * minute);
    await running.until("the marks", () => running.registries()[1] === "eureka/remote STALE UNREACHABLE");
    expect(running.registries()[0]).toBe("eureka/near SYNCED");
    expect(running.endpoints("orders.eureka")).toEqual(["10.0.1.1:8080", "10.0.2.1:8080"]);
    const { items } = (await running.get("/v1/sources")) as { items: readonly object[] };
    expect(items).toMatchObject([
      { id: "eureka/near", state: "SYNCED" },
      { id: "eureka/remote", state: "STALE", problem: "UNREACHABLE" },
    ]);
    remote.mood = undefined;
    await running.until("recovery", () => running.registries()[1] === "eureka/remote SYNCED");
  });

  it("14. a peer that restarts with 60 % of its instances: the others are held until they are back", async () => {
    const names = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"];
    const eureka = await eurekaServer();
    registerEach(eureka, 1, names);
    const running = await start({ registries: [eurekaEntry("main", eureka)] });
    await running.has("j.eureka", ["10.0.1.10:8080"]);
    eureka.restartWith(names.slice(0, 6).map((name) => `${name}-1`));
    // The adapter waits for as long as a lease lasts; then it is the guard's turn.
    await running.until("the guard", async () => (await running.guards()).length > 0, 1000);
    expect(await running.guards()).toMatchObject([{ registry: "eureka/main", scope: "source", held: 4 }]);
    const served = () => names.filter((name) => running.endpoints(`${name}.eureka`)?.length === 1);
    await running.pass(2 * minute);
    expect(served()).toEqual(names);
    registerEach(eureka, 1, names);
    await running.until("the end of the hold", async () => (await running.guards()).length === 0);
    await running.pass(6 * minute);
    expect(served()).toEqual(names);
  });
});

describe("answers of Consul", () => {
  it("5. one service cannot be read in the middle of a round: nothing leaves, and the others are followed", async () => {
    const consul = await consulServer();
    consul.set("orders", { address: "10.0.1.1" }, { address: "10.0.1.2" });
    consul.set("billing", { address: "10.0.2.1" });
    const running = await start({ registries: [consulEntry("main", consul)] });
    await running.has("orders.service.consul", ["10.0.1.1:8080", "10.0.1.2:8080"]);
    await running.has("billing.service.consul", ["10.0.2.1:8080"]);
    consul.failing.add("orders");
    consul.set("billing", { address: "10.0.2.1" }, { address: "10.0.2.2" });
    consul.publish();
    await running.has("billing.service.consul", ["10.0.2.1:8080", "10.0.2.2:8080"]);
    await running.until("the failure", () => running.registries()[0] === "consul/main SYNCED UNREACHABLE");
    await running.pass(10_000);
    expect(running.endpoints("orders.service.consul")).toEqual(["10.0.1.1:8080", "10.0.1.2:8080"]);
    consul.failing.clear();
    consul.set("orders", { address: "10.0.1.1" });
    consul.publish();
    await running.has("orders.service.consul", ["10.0.1.1:8080"]);
  });

  it("6. a service that is deregistered leaves: at once with one instance, after the guard's time with several", async () => {
    const consul = await consulServer();
    for (const net of [3, 4, 5])
      consul.set(`other-${net}`, ...addresses(net, 4).map((one) => ({ address: ipOf(one) })));
    consul.set("orders", { address: "10.0.1.1" });
    consul.set("billing", { address: "10.0.2.1" }, { address: "10.0.2.2" });
    const running = await start({ registries: [consulEntry("main", consul)] });
    await running.has("orders.service.consul", ["10.0.1.1:8080"]);
    consul.set("orders");
    consul.publish();
    await running.has("orders.service.consul", undefined);
    expect(await running.guards()).toEqual([]);
    consul.set("billing");
    consul.publish();
    await running.until("the guard", async () => (await running.guards()).length > 0);
    expect(running.endpoints("billing.service.consul")).toEqual(["10.0.2.1:8080", "10.0.2.2:8080"]);
    await running.pass(5 * minute);
    await running.has("billing.service.consul", undefined);
    for (const net of [3, 4, 5]) expect(running.endpoints(`other-${net}.service.consul`)).toEqual(addresses(net, 4));
  });

  it("7. all instances are critical: proxies are told so, in an answer and not in silence", async () => {
    const consul = await consulServer();
    consul.set("orders", { address: "10.0.1.1" }, { address: "10.0.1.2" });
    const running = await start({ registries: [consulEntry("main", consul)] });
    await running.has("orders.service.consul", ["10.0.1.1:8080", "10.0.1.2:8080"]);
    const proxy = followEndpoints(running.xdsPort, "orders.service.consul");
    stops.push(() => proxy.close());
    expect((await proxy.next()).map(({ health }) => health)).toEqual(["HEALTHY", "HEALTHY"]);
    consul.set("orders", { address: "10.0.1.1", status: "critical" }, { address: "10.0.1.2", status: "critical" });
    consul.publish();
    await running.has("orders.service.consul", ["10.0.1.1:8080 UNHEALTHY", "10.0.1.2:8080 UNHEALTHY"]);
    const told = await proxy.next();
    expect(told.map(({ address, health }) => [address, health])).toEqual([
      ["10.0.1.1:8080", "UNHEALTHY"],
      ["10.0.1.2:8080", "UNHEALTHY"],
    ]);
  });

  it("8. an instance without an address of its own has that of its node", async () => {
    const consul = await consulServer();
    consul.set("orders", { address: "", nodeAddress: "10.0.7.7" }, { address: "10.0.1.2", nodeAddress: "10.0.7.8" });
    const running = await start({ registries: [consulEntry("main", consul)] });
    await running.has("orders.service.consul", ["10.0.1.2:8080", "10.0.7.7:8080"]);
  });

  it("16. the index falls from 100 to 5: no change is missed", async () => {
    const consul = await consulServer(100n);
    consul.set("orders", { address: "10.0.1.1" });
    const running = await start({ registries: [consulEntry("main", consul)] });
    await running.has("orders.service.consul", ["10.0.1.1:8080"]);
    consul.set("orders", { address: "10.0.1.1" }, { address: "10.0.1.2" });
    consul.publish(5n);
    await running.has("orders.service.consul", ["10.0.1.1:8080", "10.0.1.2:8080"]);
    // Who went on asking for what comes after 100 would wait for long.
    consul.set("orders", { address: "10.0.1.1" }, { address: "10.0.1.2" }, { address: "10.0.1.3" });
    consul.publish();
    await running.has("orders.service.consul", ["10.0.1.1:8080", "10.0.1.2:8080", "10.0.1.3:8080"]);
    consul.set("orders", { address: "10.0.1.3" });
    consul.publish();
    await running.has("orders.service.consul", ["10.0.1.3:8080"]);
  });

  it("16. an index above 2^53 is kept exactly: no change is missed, and nothing is read in circles", async () => {
    const consul = await consulServer(2n ** 53n);
    consul.set("orders", { address: "10.0.1.1" });
    const running = await start({ registries: [consulEntry("main", consul)] });
    await running.has("orders.service.consul", ["10.0.1.1:8080"]);
    const reached: string[] = [];
    for (let count = 2; count <= 6; count++) {
      consul.set("orders", ...addresses(1, count).map((one) => ({ address: ipOf(one) })));
      consul.publish();
      await running.has("orders.service.consul", addresses(1, count));
      const asked = `index=${consul.index}`;
      await running.until(`a query for ${asked}`, () => consul.requests.some((request) => request.includes(asked)));
      reached.push(asked);
    }
    expect(reached).toEqual([1n, 2n, 3n, 4n, 5n].map((more) => `index=${2n ** 53n + more}`));
    const before = consul.requests.length;
    await running.pass(5000);
    expect(consul.requests.length - before).toBeLessThan(10);
  });

  const names = ["a", "b", "c", "d", "e", "f", "g", "h"];
  const half = new Set(names.slice(0, 4));

  async function narrowed(token: object) {
    const consul = await consulServer();
    for (const [at, name] of names.entries()) consul.set(name, { address: `10.0.1.${at + 1}` });
    const running = await start({ registries: [consulEntry("main", consul, token)] });
    await running.has("h.service.consul", ["10.0.1.8:8080"]);
    consul.readable = half;
    consul.publish();
    const served = () => names.filter((name) => running.endpoints(`${name}.service.consul`)?.length === 1);
    return { consul, running, served };
  }

  it("20. a token that may read half of the services only: nothing leaves, and the trouble is said to be the rights", async () => {
    const { consul, running, served } = await narrowed({ token: "reader" });
    await running.until("the suspicion", () => running.registries()[0] === "consul/main SYNCED AUTH_FAILED");
    await running.pass(2 * minute);
    expect(running.registries()).toEqual(["consul/main SYNCED AUTH_FAILED"]);
    expect(served()).toEqual(names);
    consul.readable = undefined;
    consul.publish();
    await running.until("recovery", () => running.registries()[0] === "consul/main SYNCED");
    expect(served()).toEqual(names);
  });

  it("20. a reader that nobody tells of the rights it lost: the guard holds the half that is gone", async () => {
    const { consul, running, served } = await narrowed({});
    await running.until("the guard", async () => (await running.guards()).length > 0);
    // Services are read one by one, so that up to 30 % of the source were believed before the guard saw what happens.
    await running.pass(10_000);
    const lost = names.length - served().length;
    expect(lost).toBeLessThanOrEqual(2);
    expect(await running.guards()).toMatchObject([{ registry: "consul/main", scope: "source", held: 4 - lost }]);
    await running.pass(2 * minute);
    expect(served()).toHaveLength(names.length - lost);
    expect(served()).toEqual(expect.arrayContaining([...half]));
    consul.readable = undefined;
    consul.publish();
    await running.until("the end of the hold", async () => (await running.guards()).length === 0);
    await running.until("all", () => served().length === names.length);
  });
});

describe("a registry beside a cluster", () => {
  const hostname = "orders.shop.svc.cluster.local";
  const identity = [{ registries: ["eureka/*"], hostname: "{{name}}.shop.svc.cluster.local", namespace: "shop" }];

  /** Eureka and a cluster that know the same services; rules of `orders` are added. */
  async function hybrid(eureka: FakeEureka, kubernetes: FakeKubernetes, rules: object): Promise<Running> {
    return start({
      registries: [eurekaEntry("main", eureka), { provider: "kubernetes", name: "main", url: kubernetes.url }],
      identity,
      services: [{ match: hostname, ...rules }],
      drift: { clusters: [{ registry: "kubernetes/main", podCidrs: ["10.40.0.0/16"] }] },
    });
  }

  async function sent(running: Running) {
    const proxy = followEndpoints(running.xdsPort, hostname);
    stops.push(() => proxy.close());
    const endpoints = await proxy.next();
    return { proxy, endpoints, shares: new Map(endpoints.map(({ address, share }) => [address, share])) };
  }

  it("13. a pod that is registered twice has no double weight: the groups of a split have exactly their shares", async () => {
    const [eureka, kubernetes] = [await eurekaServer(), await kubernetesServer()];
    for (const ip of ["10.0.1.1", "10.0.1.2", "10.40.0.1"]) eureka.register(`orders-${ip}`, { app: "orders", ip });
    for (const ip of ["10.40.0.1", "10.40.0.2"]) kubernetes.pod(`orders-${ip}`, { app: "orders", ip });
    kubernetes.service("orders", "10.40.0.1", "10.40.0.2");
    const running = await hybrid(eureka, kubernetes, {
      merge: { split: { "eureka/main": 90, "kubernetes/main": 10 } },
    });
    await running.has(hostname, ["10.0.1.1:8080", "10.0.1.2:8080", "10.40.0.1:8080", "10.40.0.2:8080"]);
    const { shares } = await sent(running);
    expect(Object.fromEntries([...shares].map(([address, share]) => [address, Number(share.toFixed(9))]))).toEqual({
      "10.0.1.1:8080": 0.45,
      "10.0.1.2:8080": 0.45,
      "10.40.0.1:8080": 0.05,
      "10.40.0.2:8080": 0.05,
    });
    expect(await running.explain(hostname)).toContain("eureka/main 10.40.0.1:8080 MERGED");
  });

  it("18. a share of 0.4 is no share of 0, and is 0.4", async () => {
    const [eureka, kubernetes] = [await eurekaServer(), await kubernetesServer()];
    const pods = ["10.40.0.1", "10.40.0.2", "10.40.0.3"];
    // A weight in metadata that is a fraction is not rounded to nothing either.
    eureka.register("orders-1", { app: "orders", ip: "10.0.1.1", metadata: { weight: "0.4" } });
    for (const ip of pods) kubernetes.pod(`orders-${ip}`, { app: "orders", ip });
    kubernetes.service("orders", ...pods);
    const running = await hybrid(eureka, kubernetes, {
      merge: { split: { "kubernetes/main": 99.6, "eureka/main": 0.4 } },
    });
    await running.has(hostname, ["10.0.1.1:8080", "10.40.0.1:8080", "10.40.0.2:8080", "10.40.0.3:8080"]);
    const { shares } = await sent(running);
    expect(shares.get("10.0.1.1:8080")).toBeCloseTo(0.004, 9);
    for (const ip of pods) expect(shares.get(`${ip}:8080`)).toBeCloseTo(0.332, 9);
  });

  it("15. a pod's address goes to another workload: an impostor gets no traffic from the first push on", async () => {
    const [eureka, kubernetes] = [await eurekaServer(), await kubernetesServer()];
    for (const ip of ["10.40.0.1", "10.40.0.2"]) {
      eureka.register(`orders-${ip}`, { app: "orders", ip });
      kubernetes.pod(`orders-${ip}`, { app: "orders", ip });
    }
    kubernetes.service("orders", "10.40.0.1", "10.40.0.2");
    kubernetes.service("billing");
    const running = await hybrid(eureka, kubernetes, {
      merge: { authoritative: "eureka/main" },
      drift: { IMPOSTOR: "exclude", GHOST: "exclude" },
    });
    await running.has(hostname, ["10.40.0.1:8080", "10.40.0.2:8080"]);
    await running.until("both confirmed", async () => (await verdicts(running)).join() === "CONFIRMED,CONFIRMED");
    const { proxy, endpoints } = await sent(running);
    expect(endpoints).toHaveLength(2);
    kubernetes.deletePod("orders-10.40.0.2");
    kubernetes.pod("billing-1", { app: "billing", ip: "10.40.0.2" });
    kubernetes.service("orders", "10.40.0.1");
    kubernetes.service("billing", "10.40.0.2");
    await running.has(hostname, ["10.40.0.1:8080"]);
    // The next answer is the first one since.
    expect((await proxy.next()).map(({ address }) => address)).toEqual(["10.40.0.1:8080"]);
    await running.until("the verdict", async () => (await verdicts(running)).join() === "CONFIRMED,IMPOSTOR");
    await running.has("billing.shop.svc.cluster.local", ["10.40.0.2:8080"]);
    expect(await running.explain(hostname)).toContain("eureka/main 10.40.0.2:8080 IMPOSTOR");
    // Eureka goes on with it, for as long as nobody ends its lease.
    await running.reads(eureka, 3);
    expect(running.endpoints(hostname)).toEqual(["10.40.0.1:8080"]);
  });

  it("17. a watch expires with 410: the new list shows what changed meanwhile, and nothing leaves and comes back", async () => {
    const kubernetes = await kubernetesServer();
    for (const ip of ["10.40.0.1", "10.40.0.2", "10.40.0.3"]) kubernetes.pod(`orders-${ip}`, { app: "orders", ip });
    kubernetes.service("orders", "10.40.0.1", "10.40.0.2");
    kubernetes.service("billing", "10.40.0.3");
    const running = await start({ registries: [{ provider: "kubernetes", name: "main", url: kubernetes.url }] });
    await running.has(hostname, ["10.40.0.1:8080", "10.40.0.2:8080"]);
    await running.has("billing.shop.svc.cluster.local", ["10.40.0.3:8080"]);
    const told: string[] = [];
    running.signalbox.appendInstanceHandler((previous, current, event) => {
      const [address] = (current ?? previous)?.instance.addresses ?? [];
      told.push(`${event} ${address?.type === "ip" ? address.ip : ""}`);
    });
    kubernetes.expire(() => {
      kubernetes.service("orders", "10.40.0.1", "10.40.0.4");
    });
    await running.has(hostname, ["10.40.0.1:8080", "10.40.0.4:8080"]);
    expect(told.sort()).toEqual(["add 10.40.0.4", "delete 10.40.0.2"]);
    await running.pass(10_000);
    expect(told).toHaveLength(2);
    expect(running.registries()).toEqual(["kubernetes/main SYNCED"]);
  });

  it("19. a pod that is terminating for good, with a process that lives and renews its lease, is not eligible", async () => {
    const [eureka, kubernetes] = [await eurekaServer(), await kubernetesServer()];
    for (const ip of ["10.40.0.1", "10.40.0.2"]) {
      eureka.register(`orders-${ip}`, { app: "orders", ip });
      kubernetes.pod(`orders-${ip}`, { app: "orders", ip });
    }
    const running = await hybrid(eureka, kubernetes, { drift: { TERMINATING: "exclude" } });
    await running.has(hostname, ["10.40.0.1:8080", "10.40.0.2:8080"]);
    // Its kubelet is dead: the pod is asked to end, and never does.
    kubernetes.pod("orders-10.40.0.2", { app: "orders", ip: "10.40.0.2", deletedAt: "2026-01-01T00:01:00Z" });
    await running.has(hostname, ["10.40.0.1:8080"]);
    expect(await running.explain(hostname)).toEqual([
      "eureka/main 10.40.0.1:8080 SERVED",
      "eureka/main 10.40.0.2:8080 TERMINATING",
    ]);
    await running.reads(eureka, 3);
    expect(running.endpoints(hostname)).toEqual(["10.40.0.1:8080"]);
  });

  async function verdicts(running: Running): Promise<readonly string[]> {
    const { items } = (await running.get(`/v1/drift?service=${hostname}`)) as { items: readonly { verdict: string }[] };
    return items.map(({ verdict }) => verdict);
  }
});
