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
import { goThrough, timeout, type Fault } from "./fault.ts";
import { Scene } from "./scene.ts";

const counters = {
  errors: "signalbox_eureka_read_errors_total",
  held: "signalbox_eureka_reads_with_losses_held_total",
  peerFailures: "signalbox_eureka_peer_failures_total",
  reads: "signalbox_eureka_reads_total",
} as const;

/** How the adapter reads, fast enough to notice a frozen server within seconds. */
const registry = { provider: "eureka", pollSeconds: 0.3, timeoutSeconds: 1, servicePort: 80 };
const host = `${app}.eureka`;

let spare: Backend;

beforeAll(async () => {
  spare = await startHttpBackend({ name: "spare" });
});

afterAll(() => spare.stop());

describe("calls through Envoy to Spring applications of a real Eureka server that is alone", { timeout }, () => {
  let server: RunningEureka;
  /** By which the daemon reads, and by which the applications register. */
  let road: Road;
  let appsRoad: Road;
  let names: readonly string[];
  let scene: Scene;
  const cleanUp = new CleanUp();

  beforeAll(async () => {
    server = cleanUp.keep(await startEureka({ own: true }));
    [road, appsRoad] = [new Road(server.url), new Road(server.url)];
    for (const one of [road, appsRoad]) {
      await one.open();
      cleanUp.add(() => one.close());
    }
    // A lease as in production, and a heartbeat that has five seconds to succeed: a busy machine must end neither.
    const properties = {
      "eureka.instance.lease-expiration-duration-in-seconds": 90,
      "eureka.instance.lease-renewal-interval-in-seconds": 5,
    };
    const start = async () =>
      cleanUp.keep(await startSpringProvider({ eurekaUrl: appsRoad.url, name: app, properties }));
    const apps = await Promise.all([start(), start()]);
    names = apps.map(({ instanceId }) => instanceId);
    const nameOf = (text: string) => {
      return text === "spare" ? text : `${app}:${(JSON.parse(text) as { port: number }).port}`;
    };
    const source = { ...registry, urls: road.url };
    scene = cleanUp.keep(await Scene.start({ registry: source, host, endpoints: apps.length, mode: "sotw", nameOf }));
  });

  afterAll(() => cleanUp.run());

  it("do not fail while it is killed and comes back empty: nobody leaves who registers again", async () => {
    const fault: Fault = {
      begin: async () => {
        await appsRoad.close();
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
        await appsRoad.open();
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

  it("do not fail while it closes its connections in good order, which is no failed read", async () => {
    const errors = await scene.counter(counters.errors);
    const fault: Fault = {
      begin: () => road.end(),
      during: async () => {
        for (let count = 0; count < 5; count++) {
          await scene.untilCounted(counters.reads, 1);
          road.end();
        }
      },
      end: () => undefined,
    };
    const report = await goThrough(scene, fault, adding(server, spare));
    expectUnnoticed(report, { endpoints: names, added: "spare", during: "none" });
    expect(await scene.counter(counters.errors)).toBe(errors);
  });
});

describe("calls through Envoy to applications of two real Eureka peers", { timeout }, () => {
  const names = ["one", "two"] as const;
  let first: RunningEureka;
  let second: RunningEureka;
  let scene: Scene;
  const cleanUp = new CleanUp();

  beforeAll(async () => {
    [first, second] = await startEurekaPeers();
    cleanUp.keep(first);
    cleanUp.keep(second);
    const backends: Backend[] = [];
    for (const name of names) backends.push(cleanUp.keep(await startHttpBackend({ name })));
    // A replication that meets a busy machine is given up.
    const inBoth = async (): Promise<boolean> => {
      for (const backend of backends) await register(first, backend);
      return (await listed(second)) === names.length;
    };
    await waitFor(inBoth, { what: "both peers to know everybody", deadlineMs: 90_000, intervalMs: 1000 });
    const source = { ...registry, urls: [first.url, second.url] };
    scene = cleanUp.keep(await Scene.start({ registry: source, host, endpoints: names.length, mode: "delta" }));
  });

  afterAll(() => cleanUp.run());

  it("do not fail while the peer that is read is killed and comes back empty, and nobody leaves", async () => {
    const fault: Fault = {
      begin: () => first.kill(),
      // The other one is read in the same round, so that nothing is wrong with the source.
      during: async () => {
        await scene.untilCounted(counters.peerFailures, 1);
        await scene.untilCounted(counters.reads, 3);
      },
      end: () => first.restart(),
      healed: async () => {
        expect(await listed(first)).toBe(0);
        await scene.untilCounted(counters.reads, 3);
      },
    };
    const report = await goThrough(scene, fault, adding(second, spare));
    expectUnnoticed(report, { endpoints: names, added: "spare", during: "none" });
  });

  it("do not fail while only the peer answers that came back empty: it is read, and not believed", async () => {
    await untilListed(first, 0);
    const fault: Fault = {
      begin: () => second.freeze(),
      during: () => scene.untilCounted(counters.held, 3),
      end: () => second.thaw(),
    };
    const report = await goThrough(scene, fault, adding(second, spare));
    expectUnnoticed(report, { endpoints: names, added: "spare", during: "none" });
  });
});
