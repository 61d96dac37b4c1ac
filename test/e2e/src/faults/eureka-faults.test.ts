import {
  Road,
  startEureka,
  startEurekaPeers,
  startHttpBackend,
  startSpringProvider,
  waitFor,
  type Backend,
  type RunningEureka,
} from "@signalbox/test-servers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CleanUp } from "./clean-up.ts";
import { adding, app, listed, register, untilListed } from "./eureka-apps.ts";
import { expectServing, expectUnnoticed } from "./expectations.ts";
import { goThrough, timeout, until, type Fault } from "./fault.ts";
import { Scene } from "./scene.ts";

const counters = {
  errors: "signalbox_eureka_read_errors_total",
  held: "signalbox_eureka_reads_with_losses_held_total",
  reads: "signalbox_eureka_reads_total",
} as const;

/** How the adapter reads, fast enough to notice a frozen server within seconds. */
const registry = { provider: "eureka", pollSeconds: 0.3, timeoutSeconds: 2, servicePort: 80 };
const host = `${app}.eureka`;

/** A server, and the way on which the daemon reads it. */
interface Peer {
  readonly server: RunningEureka;
  readonly road: Road;
}

let spare: Backend;

beforeAll(async () => {
  spare = await startHttpBackend({ name: "spare" });
});

afterAll(() => spare.stop());

describe("calls through Envoy to Spring applications of a real Eureka server that is alone", { timeout }, () => {
  let server: RunningEureka;
  /** By which the applications register. */
  let road: Road;
  let names: readonly string[];
  let scene: Scene;
  const cleanUp = new CleanUp();

  beforeAll(async () => {
    server = cleanUp.keep(await startEureka({ own: true }));
    road = new Road(server.url);
    await road.open();
    cleanUp.add(() => road.close());
    // A lease as in production, and a heartbeat that has five seconds to succeed: a busy machine must end neither.
    const properties = {
      "eureka.instance.lease-expiration-duration-in-seconds": 90,
      "eureka.instance.lease-renewal-interval-in-seconds": 5,
    };
    const start = async () => cleanUp.keep(await startSpringProvider({ eurekaUrl: road.url, name: app, properties }));
    const apps = await Promise.all([start(), start()]);
    names = apps.map(({ instanceId }) => instanceId);
    const nameOf = (text: string) => {
      return text === "spare" ? text : `${app}:${(JSON.parse(text) as { port: number }).port}`;
    };
    const source = { ...registry, urls: server.url };
    scene = cleanUp.keep(await Scene.start({ registry: source, host, endpoints: apps.length, mode: "sotw", nameOf }));
  });

  afterAll(() => cleanUp.run());

  it("do not fail while it is killed and comes back empty: nobody leaves who registers again", async () => {
    const fault: Fault = {
      begin: async () => {
        await road.close();
        await server.kill();
      },
      during: "UNREACHABLE",
      end: () => server.restart(),
      healed: async () => {
        // It answers, and knows nobody: what it lacks is kept.
        expect(await listed(server)).toBe(0);
        await scene.untilCounted(counters.held, 2);
        expectServing(await scene.look(), names);
        // The applications find out at their next heartbeat.
        await road.open();
        await untilListed(server, names.length);
      },
    };
    const report = await goThrough(scene, fault, adding(server, spare));
    expectUnnoticed(report, { endpoints: names, added: "spare", during: "UNREACHABLE" });
  });

  it("do not fail while it freezes and thaws, and nobody leaves", async () => {
    const fault: Fault = { begin: () => server.freeze(), during: "UNREACHABLE", end: () => server.thaw() };
    const report = await goThrough(scene, fault, adding(server, spare));
    expectUnnoticed(report, { endpoints: names, added: "spare", during: "UNREACHABLE" });
  });
});

describe("calls through Envoy to applications of two real Eureka peers", { timeout }, () => {
  const names = ["one", "two"] as const;
  let peers: readonly [Peer, Peer];
  let scene: Scene;
  const cleanUp = new CleanUp();

  /** The peer that the daemon reads at this time, and the other one. */
  async function readNow(): Promise<readonly [Peer, Peer]> {
    const [one, two] = peers;
    const [ofOne, ofTwo] = [one.road.joined, two.road.joined];
    const counts = () => [one.road.joined - ofOne, two.road.joined - ofTwo] as const;
    await waitFor(() => Math.max(...counts()) >= 3, { what: "three reads of one peer", deadlineMs: 120_000 });
    return counts()[0] >= 3 ? [one, two] : [two, one];
  }

  beforeAll(async () => {
    // A server that ends each connection in good order after one answer.
    const servers = await startEurekaPeers({ properties: { "server.tomcat.max-keep-alive-requests": 1 } });
    const peerOf = async (server: RunningEureka): Promise<Peer> => {
      cleanUp.keep(server);
      const road = new Road(server.url);
      await road.open();
      cleanUp.add(() => road.close());
      return { server, road };
    };
    peers = [await peerOf(servers[0]), await peerOf(servers[1])];
    const [first, second] = servers;
    const backends: Backend[] = [];
    for (const name of names) backends.push(cleanUp.keep(await startHttpBackend({ name })));
    // A replication that meets a busy machine is given up.
    const inBoth = async (): Promise<boolean> => {
      for (const backend of backends) await register(first, backend);
      return (await listed(second)) === names.length;
    };
    await waitFor(inBoth, { what: "both peers to know everybody", deadlineMs: 90_000, intervalMs: 1000 });
    const source = { ...registry, urls: peers.map(({ road }) => road.url) };
    scene = cleanUp.keep(await Scene.start({ registry: source, host, endpoints: names.length, mode: "delta" }));
  });

  afterAll(() => cleanUp.run());

  it("do not fail while the peers close each connection after one answer, which is no failed read", async () => {
    const [{ server }] = peers;
    const errors = await scene.counter(counters.errors);
    const fault: Fault = {
      begin: async () => {
        const { headers } = await server.request("/apps", { headers: { connection: "keep-alive" } });
        expect(headers["connection"]).toBe("close");
      },
      during: () => scene.untilCounted(counters.reads, 5),
      end: () => undefined,
    };
    const report = await goThrough(scene, fault, adding(server, spare));
    expectUnnoticed(report, { endpoints: names, added: "spare", during: "none" });
    expect(await scene.counter(counters.errors)).toBe(errors);
  });

  it("do not fail while the peer that is read is killed and comes back empty, and nobody leaves", async () => {
    const [read, other] = await readNow();
    const fault: Fault = {
      begin: () => read.server.kill(),
      // The other one is read in the same round, so that nothing is wrong with the source.
      during: async () => {
        const { joined } = other.road;
        await until("three reads of the other peer", () => Promise.resolve(other.road.joined >= joined + 3));
        await scene.untilCounted(counters.reads, 1);
      },
      end: () => read.server.restart(),
      healed: async () => {
        expect(await listed(read.server)).toBe(0);
        await scene.untilCounted(counters.reads, 3);
      },
    };
    const report = await goThrough(scene, fault, adding(other.server, spare));
    expectUnnoticed(report, { endpoints: names, added: "spare", during: "none" });
  });

  it("do not fail while only the peer answers that came back empty: it is read, and not believed", async () => {
    const lists = await Promise.all(peers.map(async (peer) => ({ peer, count: await listed(peer.server) })));
    const [empty, full] = lists.sort((a, b) => a.count - b.count).map(({ peer }) => peer.server);
    if (empty === undefined || full === undefined) throw new TypeError("not two peers");
    await untilListed(empty, 0);
    const fault: Fault = {
      begin: () => full.freeze(),
      during: () => scene.untilCounted(counters.held, 3),
      end: () => full.thaw(),
    };
    const report = await goThrough(scene, fault, adding(full, spare));
    expectUnnoticed(report, { endpoints: names, added: "spare", during: "none" });
  });
});
