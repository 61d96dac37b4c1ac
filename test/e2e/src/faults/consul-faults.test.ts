import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startConsul, startHttpBackend, type Backend, type RunningConsul } from "@signalbox/test-servers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CleanUp } from "./clean-up.ts";
import { ConsulCatalog, service } from "./consul-catalog.ts";
import { expectUnnoticed } from "./expectations.ts";
import { goThrough, timeout, type Fault } from "./fault.ts";
import { Scene } from "./scene.ts";

const names = ["one", "two", "three"] as const;
const readAll = 'service_prefix "" { policy = "read" } node_prefix "" { policy = "read" }';
/** Everything but what the tests call. */
const readOthers = `service "${service}" { policy = "deny" } ${readAll}`;

/** How the adapter reads, fast enough to notice a frozen agent within seconds. */
const registry = { provider: "consul", waitSeconds: 1, timeoutSeconds: 1, servicePort: 80, defaultProtocol: "http" };

const backends: Backend[] = [];
let spare: Backend;
const all = new CleanUp();

beforeAll(async () => {
  for (const name of names) backends.push(all.keep(await startHttpBackend({ name })));
  spare = all.keep(await startHttpBackend({ name: "spare" }));
});

afterAll(() => all.run());

/** A scene in front of a Consul that has the three backends. */
async function sceneOf(catalog: ConsulCatalog, more: object, mode: "sotw" | "delta"): Promise<Scene> {
  for (const backend of backends) await catalog.register(backend);
  const host = `${service}.service.consul`;
  return Scene.start({ registry: { ...registry, ...more }, host, endpoints: names.length, mode });
}

describe("calls through Envoy while a Consul that keeps its data", { timeout }, () => {
  let folder: string;
  let consul: RunningConsul;
  let catalog: ConsulCatalog;
  let scene: Scene;
  let revoke: () => Promise<void>;
  const cleanUp = new CleanUp();

  async function issue(): Promise<{ readonly replace: () => Promise<void>; readonly revoke: () => Promise<void> }> {
    const token = await catalog.token("reader");
    const replace = async (): Promise<void> => {
      await writeFile(join(folder, "token.new"), token.secret);
      await rename(join(folder, "token.new"), join(folder, "token"));
    };
    return { replace, revoke: token.revoke };
  }

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), "signalbox-faults-"));
    cleanUp.add(() => rm(folder, { recursive: true }));
    consul = cleanUp.keep(await startConsul({ own: true, acl: true, data: "disk" }));
    catalog = new ConsulCatalog(consul);
    await catalog.policy("reader", readAll);
    const token = await issue();
    await token.replace();
    revoke = token.revoke;
    const more = { url: consul.url, token: { file: join(folder, "token") }, auditSeconds: 1 };
    scene = cleanUp.keep(await sceneOf(catalog, more, "delta"));
  });

  afterAll(() => cleanUp.run());

  const restart = async (): Promise<void> => {
    await consul.restart();
    await catalog.writable();
  };
  const faults: readonly (Fault & { readonly what: string; readonly during: "UNREACHABLE" | "AUTH_FAILED" })[] = [
    {
      what: "is killed and restarts on its data",
      begin: () => consul.kill(),
      during: "UNREACHABLE",
      end: restart,
    },
    {
      what: "freezes and thaws",
      begin: () => consul.freeze(),
      during: "UNREACHABLE",
      end: async () => {
        consul.thaw();
        await catalog.writable();
      },
    },
    {
      what: "no longer knows the token, until a new one is in the file",
      begin: () => revoke(),
      during: "AUTH_FAILED",
      end: async () => {
        const token = await issue();
        revoke = token.revoke;
        await token.replace();
      },
    },
    {
      what: "hides the service by a narrower policy, until it is widened",
      begin: () => catalog.policy("reader", readOthers),
      during: "AUTH_FAILED",
      end: () => catalog.policy("reader", readAll),
    },
    {
      what: "hides everything by a narrower policy, until it is widened",
      begin: () => catalog.policy("reader", 'key "nothing" { policy = "read" }'),
      during: "AUTH_FAILED",
      end: () => catalog.policy("reader", readAll),
    },
  ];

  it.each(faults)("$what: no call fails, no endpoint leaves, and the next change arrives", async (fault) => {
    const report = await goThrough(scene, fault, catalog.adding(spare));
    expectUnnoticed(report, { endpoints: names, added: "spare", during: fault.during });
  });
});

describe("calls through Envoy while a Consul in memory", { timeout }, () => {
  it("restarts without its data and its services register again: no call fails, and no endpoint leaves", async () => {
    const cleanUp = new CleanUp();
    try {
      const consul = cleanUp.keep(await startConsul({ own: true, data: "memory" }));
      const catalog = new ConsulCatalog(consul);
      const scene = cleanUp.keep(await sceneOf(catalog, { url: consul.url, restartGraceSeconds: 600 }, "sotw"));
      const fault: Fault = {
        begin: async () => {
          await consul.kill();
          await consul.restart();
          const answer = await consul.request(`/v1/health/service/${service}`);
          expect(answer.json()).toEqual([]);
        },
        during: "PROTOCOL_ERROR",
        end: async () => {
          for (const backend of backends) await catalog.register(backend);
        },
      };
      const report = await goThrough(scene, fault, catalog.adding(spare));
      expectUnnoticed(report, { endpoints: names, added: "spare", during: "PROTOCOL_ERROR" });
    } finally {
      await cleanUp.run();
    }
  });
});
