import { randomUUID } from "node:crypto";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { consulModule } from "@signalbox/adapter-consul";
import { serviceKey } from "@signalbox/model";
import { checkedSink, noMetrics, silentLogger, systemClock, type Problem } from "@signalbox/registry";
import { RecordingSink } from "@signalbox/registry/conformance";
import { startConsul } from "@signalbox/test-servers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { AclConsul, readAll, Registrar } from "./consul-world.ts";

/** All of these wait on a real process. */
const deadlineMs = 40_000;

/** One run of the adapter on the system's clock. */
class Running {
  readonly sink = new RecordingSink();
  readonly #end = new AbortController();
  readonly #ended: Promise<void>;

  /** Where a run before it is named, what that one said last is in force. */
  constructor(config: object, after?: Running) {
    const deps = { name: "faults", logger: silentLogger, clock: systemClock, metrics: noMetrics, baseDir: tmpdir() };
    const registry = consulModule.create(
      consulModule.parseConfig({ waitSeconds: 1, timeoutSeconds: 1, ...config }),
      deps,
    );
    const sink = checkedSink(this.sink, { ...deps, id: registry.id });
    this.#ended = registry.run(sink, this.#end.signal, after?.sink.asBaseline());
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#ended;
  }

  count(service: string): number | undefined {
    return this.sink.records.get(keyOf(service))?.instances.length;
  }

  async has(service: string, instances: number | undefined): Promise<void> {
    await this.sink.waitFor(() => this.count(service) === instances, deadlineMs);
  }

  async fails(problem: Problem): Promise<void> {
    const before = this.sink.degradations.length;
    await this.sink.waitFor(
      (sink) => sink.degradations.slice(before).some((degradation) => degradation.problem === problem),
      deadlineMs,
    );
  }

  async alive(): Promise<void> {
    const before = this.sink.aliveCount;
    await this.sink.waitFor((sink) => sink.aliveCount > before, deadlineMs);
  }

  /** The smallest number of instances that any update so far said for a service that it removed or upserted. */
  least(service: string): number {
    const key = keyOf(service);
    const counts = this.sink.updates.flatMap((update) => {
      const records = update.type === "snapshot" ? update.records : (update.records?.upserted ?? []);
      const removed = update.type === "delta" && update.records?.removed.includes(key) === true;
      const told = records.filter((record) => serviceKey(record.service) === key);
      return [...told.map(({ instances }) => instances.length), ...(removed ? [0] : [])];
    });
    return Math.min(...counts);
  }
}

function keyOf(service: string) {
  return serviceKey({ namespace: "default", hostname: `${service}.service.consul` });
}

async function registerAll(registrar: Registrar, service: string, numbers: readonly number[]): Promise<void> {
  for (const number of numbers) {
    const id = `${service}-${number}`;
    await registrar.register({ node: `node-of-${id}`, id, service, ip: `10.1.0.${number}`, port: 8080 });
  }
}

describe("faults of a real Consul that keeps its data", () => {
  let consul: AclConsul;
  let folder: string;

  beforeAll(async () => {
    consul = await AclConsul.start();
    folder = await mkdtemp(join(tmpdir(), "signalbox-consul-"));
    await consul.policy("reader", readAll);
  });

  afterAll(async () => {
    await consul.server.stop();
    await rm(folder, { recursive: true, force: true });
  });

  async function withRun(config: object, act: (run: Running) => Promise<void>): Promise<void> {
    await consul.clear();
    await registerAll(consul.registrar, "web", [1, 2, 3]);
    await registerAll(consul.registrar, "db", [1]);
    const run = new Running({ url: consul.server.url, ...config });
    try {
      await run.has("web", 3);
      await act(run);
    } finally {
      await run.stop();
    }
  }

  async function issue(policy = "reader") {
    const token = { secret: randomUUID(), accessor: randomUUID() };
    await consul.token(policy, token);
    return token;
  }

  it("is killed and restarts on its data: nothing is lost, and the next change is seen", async () => {
    const { secret } = await issue();
    await withRun({ token: secret }, async (run) => {
      await consul.server.kill();
      await run.fails("UNREACHABLE");
      expect(run.sink.updates).toHaveLength(1);
      await consul.server.restart();
      await consul.writable();
      await run.alive();
      expect(run.sink.updates).toHaveLength(1);
      await registerAll(consul.registrar, "web", [4]);
      await run.has("web", 4);
      await consul.registrar.deregister("node-of-web-1");
      await run.has("web", 3);
      expect(run.least("web")).toBe(3);
    });
  });

  it("restarts on its data while nothing reads it: what truly left is not in the first snapshot, and no trouble", async () => {
    const { secret } = await issue();
    await withRun({ token: secret }, async (before) => {
      await before.has("db", 1);
      await before.stop();
      await consul.registrar.deregister("node-of-web-3");
      await consul.registrar.deregister("node-of-db-1");
      await consul.server.restart();
      const after = new Running({ url: consul.server.url, token: secret }, before);
      try {
        await after.alive();
        expect([after.count("web"), after.count("db"), after.sink.updates.length]).toEqual([2, undefined, 1]);
        expect(after.sink.degradations.filter(({ problem }) => problem !== "UNREACHABLE")).toEqual([]);
      } finally {
        await after.stop();
      }
    });
  });

  it("freezes and thaws: the adapter notices by its own deadline, loses nothing, and sees what happened meanwhile", async () => {
    const { secret } = await issue();
    await withRun({ token: secret }, async (run) => {
      consul.server.freeze();
      try {
        await run.fails("UNREACHABLE");
        expect(run.sink.updates).toHaveLength(1);
      } finally {
        consul.server.thaw();
      }
      await consul.writable();
      await registerAll(consul.registrar, "web", [4]);
      await run.has("web", 4);
      await run.alive();
      expect(run.least("web")).toBe(3);
    });
  });

  it("narrows the policy to half of the services: the others stay, and one that is truly gone leaves", async () => {
    await consul.policy("narrow", readAll);
    const { secret } = await issue("narrow");
    await withRun({ token: secret }, async (run) => {
      await consul.policy("narrow", 'service "db" { policy = "read" } node_prefix "" { policy = "read" }');
      await run.fails("AUTH_FAILED");
      await registerAll(consul.registrar, "db", [2]);
      await run.has("db", 2);
      expect(run.count("web")).toBe(3);
      // Hidden, not gone: what nobody can see cannot be followed, but it is not taken away.
      await consul.registrar.deregister("node-of-web-1");
      await consul.policy("narrow", readAll);
      await run.has("web", 2);
      expect(run.least("web")).toBe(2);
      await run.alive();
      for (const number of [2, 3]) await consul.registrar.deregister(`node-of-web-${number}`);
      await run.has("web", undefined);
    });
  });

  it.each([
    { what: "all services", rules: 'node_prefix "" { policy = "read" }' },
    { what: "all nodes", rules: 'service_prefix "" { policy = "read" }' },
    // Consul changes no index for it, so that only a read without one can notice.
    { what: "one node", config: { auditSeconds: 1 }, rules: `${readAll} node "node-of-web-1" { policy = "deny" }` },
    { what: "everything", rules: 'key "nothing" { policy = "read" }' },
  ])("narrows the policy, which hides $what: nothing is lost", async ({ rules, config = {} }) => {
    await consul.policy("narrow", readAll);
    const { secret } = await issue("narrow");
    await withRun({ token: secret, ...config }, async (run) => {
      await consul.policy("narrow", rules);
      await run.fails("AUTH_FAILED");
      expect(run.least("web")).toBe(3);
      expect(run.least("db")).toBe(1);
      await consul.policy("narrow", readAll);
      await run.alive();
      await registerAll(consul.registrar, "web", [4]);
      await run.has("web", 4);
      expect(run.least("web")).toBe(3);
    });
  });

  it("says nothing about a source of which a token sees nothing from the beginning", async () => {
    await consul.policy("blind", 'key "nothing" { policy = "read" }');
    const { secret } = await issue("blind");
    await consul.clear();
    await registerAll(consul.registrar, "web", [1]);
    const run = new Running({ url: consul.server.url, token: secret });
    try {
      await run.fails("AUTH_FAILED");
      expect(run.sink.updates).toEqual([]);
    } finally {
      await run.stop();
    }
  });

  it("rotates the token in its file: the old one may be revoked without anyone noticing", async () => {
    const [old, next] = [await issue(), await issue()];
    const file = join(folder, "token");
    await writeFile(file, `${old.secret}\n`);
    await withRun({ token: { file } }, async (run) => {
      await writeFile(`${file}.new`, next.secret);
      await rename(`${file}.new`, file);
      await consul.revoke(old.accessor);
      await registerAll(consul.registrar, "web", [4]);
      await run.has("web", 4);
      await run.alive();
      expect(run.least("web")).toBe(3);
    });
  });

  it("revokes the token before the new one is there: the state stays, and the file heals it", async () => {
    const [old, next] = [await issue(), await issue()];
    const file = join(folder, "late-token");
    await writeFile(file, old.secret);
    await withRun({ token: { file } }, async (run) => {
      await consul.revoke(old.accessor);
      await run.fails("AUTH_FAILED");
      expect(run.sink.updates).toHaveLength(1);
      await writeFile(`${file}.new`, next.secret);
      await rename(`${file}.new`, file);
      await run.alive();
      await registerAll(consul.registrar, "web", [4]);
      await run.has("web", 4);
      expect(run.least("web")).toBe(3);
    });
  });
});

describe("faults of a real Consul in memory", () => {
  it("restarts without its data: everything stays until it is registered again or the grace is over", async () => {
    const server = await startConsul({ own: true, data: "memory" });
    const run = new Running({ url: server.url, restartGraceSeconds: 12 });
    try {
      const registrar = new Registrar(server);
      await registerAll(registrar, "web", [1, 2, 3]);
      await registerAll(registrar, "db", [1]);
      await run.has("web", 3);
      await run.has("db", 1);
      await server.kill();
      await run.fails("UNREACHABLE");
      const before = run.sink.updates.length;
      const lost = run.fails("PROTOCOL_ERROR");
      await server.restart();
      await lost;
      expect(run.sink.updates).toHaveLength(before);
      // Two come back at once, one under a new id, and one more is new.
      await registerAll(registrar, "web", [1, 4]);
      await registrar.register({ node: "elsewhere", id: "other", service: "web", ip: "10.1.0.2", port: 8080 });
      await run.has("web", 4);
      const addresses = run.sink.records.get(keyOf("web"))?.instances.map(({ addresses: [first] }) => first);
      expect(addresses?.map((address) => (address.type === "ip" ? address.ip : "")).sort()).toEqual(
        [1, 2, 3, 4].map((number) => `10.1.0.${number}`),
      );
      expect(run.count("db")).toBe(1);
      // What nobody registered again leaves when the grace is over, and not before.
      await run.has("web", 3);
      await run.has("db", undefined);
      await run.alive();
    } finally {
      await run.stop();
      await server.stop();
    }
  });

  it("restarts without its data while nothing reads it: the first snapshot lacks nothing that was in force", async () => {
    const server = await startConsul({ own: true, data: "memory" });
    const config = { url: server.url, restartGraceSeconds: 8 };
    const before = new Running(config);
    let after: Running | undefined;
    try {
      const registrar = new Registrar(server);
      await registerAll(registrar, "web", [1, 2]);
      await registerAll(registrar, "db", [1]);
      await before.has("web", 2);
      await before.has("db", 1);
      await before.stop();
      await server.restart();
      await registerAll(registrar, "web", [1]);
      after = new Running(config, before);
      await after.has("web", 2);
      expect([after.sink.updates.length, after.count("db")]).toEqual([1, 1]);
      await after.has("web", 1);
      await after.has("db", undefined);
      await after.alive();
    } finally {
      await before.stop();
      await after?.stop();
      await server.stop();
    }
  });

  it("demands a client certificate: with it, services and their changes are read", async () => {
    const server = await startConsul({ own: true, mtls: true });
    const { caFile = "", certFile = "", keyFile = "" } = server.tls ?? {};
    const ca = { file: caFile };
    const run = new Running({
      url: server.url,
      tls: { ca, cert: { file: certFile }, key: { file: keyFile }, serverName: "localhost" },
    });
    const stranger = new Running({ url: server.url, tls: { ca, serverName: "localhost" } });
    try {
      const put = async (number: number) => {
        const Service = { ID: "web", Service: "web", Address: `10.1.0.${number}`, Port: 80 };
        const body = { Node: `node-${number}`, Address: "10.99.0.1", Service };
        await server.request("/v1/catalog/register", { method: "PUT", body });
      };
      await put(1);
      await run.has("web", 1);
      await put(2);
      await run.has("web", 2);
      await stranger.fails("UNREACHABLE");
      expect(stranger.sink.updates).toEqual([]);
    } finally {
      await run.stop();
      await stranger.stop();
      await server.stop();
    }
  });
});
