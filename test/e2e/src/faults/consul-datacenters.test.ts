import { startConsul, startHttpBackend, type Backend, type RunningConsul } from "@signalbox/test-servers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CleanUp } from "./clean-up.ts";
import { ConsulCatalog, service } from "./consul-catalog.ts";
import { expectServing, expectUnnoticed } from "./expectations.ts";
import { goThrough, timeout, until } from "./fault.ts";
import { Scene } from "./scene.ts";

const near = ["near-1", "near-2"] as const;
const far = ["far-1", "far-2"] as const;
const all = [...near, ...far];

describe("two datacenters of a real Consul, read through the agent of one of them", { timeout }, () => {
  let nearby: RunningConsul;
  let remote: RunningConsul;
  let catalogs: { readonly near: ConsulCatalog; readonly far: ConsulCatalog };
  let spare: Backend;
  let scene: Scene;
  const cleanUp = new CleanUp();

  beforeAll(async () => {
    nearby = cleanUp.keep(await startConsul({ own: true, datacenter: "near" }));
    // The one that will be lost keeps its data.
    const joinWan = [nearby.wanAddress ?? ""];
    remote = cleanUp.keep(await startConsul({ own: true, data: "disk", datacenter: "far", joinWan }));
    catalogs = { near: new ConsulCatalog(nearby), far: new ConsulCatalog(remote) };
    spare = cleanUp.keep(await startHttpBackend({ name: "spare" }));
    for (const name of near) await catalogs.near.register(cleanUp.keep(await startHttpBackend({ name })));
    for (const name of far) await catalogs.far.register(cleanUp.keep(await startHttpBackend({ name })));
    await until("both datacenters to know each other", async () => {
      const answer = await nearby.request(`/v1/health/service/${service}?dc=far`);
      return (answer.json() as unknown[]).length === far.length;
    });
    const registry = {
      ...{ provider: "consul", url: nearby.url, datacenters: ["near", "far"] },
      ...{ waitSeconds: 1, timeoutSeconds: 1, servicePort: 80, defaultProtocol: "http" },
    };
    const host = `${service}.service.consul`;
    scene = cleanUp.keep(await Scene.start({ registry, host, endpoints: all.length, mode: "delta" }));
  });

  afterAll(() => cleanUp.run());

  const comeBack = async (): Promise<void> => {
    await remote.restart();
    await catalogs.far.writable();
  };

  it("are one service, and nobody leaves it while one of them is dead and comes back", async () => {
    const fault = { begin: () => remote.kill(), during: "UNREACHABLE", end: comeBack } as const;
    const report = await goThrough(scene, fault, catalogs.far.adding(spare));
    expectUnnoticed(report, { endpoints: all, added: "spare", during: "UNREACHABLE" });
  });

  it("are followed each for itself: what changes in one arrives while the other one is dead", async () => {
    // Before: all is well.
    expectServing(await scene.look(), all);
    await remote.kill();
    await scene.untilProblem("UNREACHABLE");
    const reached = scene.reaches("spare");
    await catalogs.near.register(spare);
    await reached;
    // During: one more in this datacenter, and all of the other one.
    expectServing(await scene.look(), [...all, "spare"], { problem: "UNREACHABLE", least: all.length });
    await catalogs.near.deregister(spare);
    await scene.untilEndpoints(all.length);
    await comeBack();
    await scene.untilProblem("none");
    // After: as before.
    expectServing(await scene.look(), all);
    expect(await scene.nacks()).toBe(0);
  });
});
