import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { registryId, type ServiceRecord } from "@signalbox/model";
import { ConfigError, type Registry, type RegistryModule, type RegistrySink } from "@signalbox/registry";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { SignalboxConfigInput } from "./config/schema.ts";
import { createSignalbox, type Signalbox, type SignalboxOptions } from "./signalbox.ts";
import { eventually } from "./testing/eventually.ts";

let dir: string;
let stop: AbortController;
let ended: Promise<void>[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "signalbox-test-"));
  stop = new AbortController();
  ended = [];
});
afterEach(async () => {
  stop.abort();
  await Promise.allSettled(ended);
  rmSync(dir, { recursive: true, force: true });
});

const anyPort = { xds: { plaintext: { port: 0 }, drainMs: 0 }, debug: { port: 0 } } as const;

async function start(config: SignalboxConfigInput = {}, options: SignalboxOptions = {}): Promise<Signalbox> {
  const signalbox = await createSignalbox({ ...anyPort, ...config }, { baseDir: dir, ...options });
  ended.push(signalbox.run(stop.signal));
  await signalbox.synced(stop.signal);
  return signalbox;
}

function writeServices(name: string, services: Record<string, readonly string[]>): string {
  const list = Object.entries(services).map(([service, endpoints]) => ({
    ...{ name: service, namespace: "shop", endpoints },
    ports: [{ name: "http", number: 8000 }],
  }));
  writeFileSync(join(dir, name), JSON.stringify({ services: list }));
  return name;
}

function record(hostname: string): ServiceRecord {
  const provenance = { registry: registryId("own", "a"), object: hostname };
  return {
    service: {
      ...{ hostname, namespace: "shop", addresses: [], labels: {}, exportTo: [], serviceAccounts: [], provenance },
      ...{ ports: [{ name: "http", number: 80, protocol: "HTTP" }], resolution: "STATIC", meshExternal: false },
    },
    instances: [],
  };
}

/** A registry that a test speaks through. */
function ownRegistry(name: string): Registry & { sink(): RegistrySink } {
  let current: RegistrySink | undefined;
  return {
    id: registryId("own", name),
    run: (sink, signal) => {
      current = sink;
      sink.push({ type: "snapshot", records: [record("own.example")] });
      return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    },
    sink: () => {
      if (current === undefined) throw new Error("does not run");
      return current;
    },
  };
}

function hostnames(signalbox: Signalbox): string[] {
  return signalbox.services().map(({ hostname }) => hostname);
}

describe("Signalbox as a library", () => {
  it("makes one catalog of its configuration and of registries of one's own", async () => {
    const files = writeServices("web.json", { web: ["127.0.0.1:9001"] });
    const signalbox = await start(
      { registries: [{ provider: "static", name: "files", paths: [files] }] },
      { registries: [ownRegistry("a")] },
    );
    expect(hostnames(signalbox)).toEqual(["own.example", "web.shop.svc.cluster.local"]);
    expect(signalbox.registries().map(({ id }) => id)).toEqual(["own/a", "static/files"]);
    expect(signalbox.catalog().entries.size).toBe(2);
    expect(signalbox.serviceByHostname("own.example")?.namespace).toBe("shop");
    expect(signalbox.instancesByPort("web.shop.svc.cluster.local", 8000)).toHaveLength(1);
    expect(signalbox.proxyInstances(["127.0.0.1"])).toHaveLength(1);
    expect(signalbox.clients()).toEqual([]);
  });

  it("tells handlers what changes, and nobody who took the handler away", async () => {
    const own = ownRegistry("a");
    const signalbox = await start({}, { registries: [own] });
    const told: string[] = [];
    const takeAway = signalbox.appendServiceHandler((previous, current, event) => {
      told.push(`${event} ${String(previous?.hostname ?? current?.hostname)}`);
    });
    own.sink().push({ type: "snapshot", records: [record("new.example")] });
    await eventually("both changes", () => told.length === 2);
    expect([...told].sort()).toEqual(["add new.example", "delete own.example"]);
    takeAway();
    own.sink().push({ type: "snapshot", records: [] });
    await eventually("the last change", () => signalbox.services().length === 0);
    expect(told).toHaveLength(2);
  });

  it("takes kinds of registries of one's own, by their provider", async () => {
    const module: RegistryModule<unknown> = {
      provider: "mine",
      parseConfig: (input) => input,
      create: (_config, { name }) => ({ ...ownRegistry(name), id: registryId("mine", name) }),
    };
    const signalbox = await start({ registries: [{ provider: "mine", name: "x" }] }, { modules: [module] });
    expect(signalbox.registries().map(({ id, state }) => [id, state])).toEqual([["mine/x", "SYNCED"]]);
  });

  it("rejects a configuration with mistakes, also those that the adapter finds", async () => {
    await expect(createSignalbox({ debug: { port: -1 } })).rejects.toThrow(ConfigError);
    await expect(createSignalbox({ registries: [{ provider: "static", name: "a", pathz: [] }] })).rejects.toThrow(
      "registries[0].pathz: unknown key",
    );
    await expect(createSignalbox({ rules: [{ files: [] }] })).rejects.toThrow("rules[0].files");
  });

  it("serves readiness, metrics, the debug pages and xDS by REST", async () => {
    const files = writeServices("web.json", { web: ["127.0.0.1:9001"] });
    const signalbox = await start({ rules: [{ files }] });
    const { debug } = await signalbox.listening(stop.signal);
    const get = async (path: string): Promise<string> => (await fetch(`${debug?.url ?? ""}${path}`)).text();
    await eventually("readiness", async () => (await fetch(`${debug?.url ?? ""}/readyz`)).ok);
    expect(await get("/debug/endpointz?brief=1")).toContain("web.shop.svc.cluster.local:http 127.0.0.1:9001");
    expect(await get("/metrics")).toMatch(/signalbox_registry_services\{registry="static\/rules:web\.json"\} 1/);
    const response = await fetch(`${debug?.url ?? ""}/v3/discovery:clusters`, {
      method: "POST",
      body: JSON.stringify({ node: { id: "edge" } }),
      headers: { "content-type": "application/json" },
    });
    const clusters = JSON.stringify(await response.json());
    expect(clusters).toContain("outbound|8000||web.shop.svc.cluster.local");
    // A client that polls has no ADS stream: endpoints are polled as well.
    expect(clusters).toContain('"clusterNames":["xds_cluster"]');
    expect(clusters).not.toContain('"ads":');
    const unknown = await fetch(`${debug?.url ?? ""}/v3/discovery:nonsense`, { method: "POST", body: "{}" });
    expect(unknown.status).toBe(404);
  });

  it("says how Istio's objects fare, each for itself and together", async () => {
    const provenance = { registry: registryId("own", "a"), object: "rule" };
    const rule = (name: string, spec: object) => {
      return {
        ...{ kind: "VirtualService", namespace: "default", name, labels: {}, annotations: {} },
        spec,
        provenance,
      };
    };
    const objects = [
      rule("good", { hosts: ["a.test"], http: [{ route: [{ destination: { host: "none.test" } }] }] }),
      rule("bad", { hosts: ["b.test"] }),
    ];
    const own = ownRegistry("a");
    const signalbox = await start({}, { registries: [own] });
    own.sink().push({ type: "snapshot", records: [], objects });
    const { debug } = await signalbox.listening(stop.signal);
    const get = async (path: string): Promise<string> => (await fetch(`${debug?.url ?? ""}${path}`)).text();
    await eventually("the rules", async () => (await get("/debug/rulesz")).includes("default/good"));
    expect(JSON.parse(await get("/debug/rulesz"))).toMatchObject({
      total: 2,
      rules: [
        { object: "VirtualService/default/bad", accepted: false, inForce: false, proxyCount: 0 },
        { object: "VirtualService/default/good", accepted: true, inForce: true, proxyCount: 0 },
      ],
    });
    expect(JSON.parse(await get("/debug/analyze"))).toMatchObject([
      { code: "IST0101", object: "VirtualService/default/good", path: "spec.http[0].route[0].destination.host" },
    ]);
    expect(await get("/metrics")).toContain('signalbox_rules{kind="VirtualService",accepted="false"} 1');
  });

  it("measures how long changes wait and how long their translation takes, and counts what registries get wrong", async () => {
    const own = ownRegistry("a");
    const signalbox = await start({}, { registries: [own] });
    const { debug } = await signalbox.listening(stop.signal);
    const metric = async (name: string): Promise<number> => {
      const text = await (await fetch(`${debug?.url ?? ""}/metrics`)).text();
      return Number(
        text
          .split("\n")
          .find((line) => line.startsWith(`${name} `))
          ?.slice(name.length + 1) ?? "0",
      );
    };
    await eventually("the snapshot", async () => (await metric("pilot_pushcontext_init_seconds_count")) === 1);
    expect(await metric("pilot_debounce_time_count")).toBe(0);
    own.sink().push({ type: "snapshot", records: [record("new.example"), record("")] });
    await eventually("the change", async () => (await metric("pilot_pushcontext_init_seconds_count")) === 2);
    expect(await metric("pilot_debounce_time_count")).toBe(1);
    expect(await metric('signalbox_registry_records_rejected_total{kind="service",registry="own/a"}')).toBe(1);
  });

  it("counts what guards hold and decided, how the journal is, and who leads", async () => {
    const own = ownRegistry("a");
    const config = { guards: { registries: ["own/*"] }, journal: { dir: "journal" } };
    const signalbox = await start(config, { registries: [own] });
    const { debug } = await signalbox.listening(stop.signal);
    const lines = async () => (await (await fetch(`${debug?.url ?? ""}/metrics`)).text()).split("\n");
    const many = ["a", "b", "c", "d", "e"].map((name) => record(`${name}.example`));
    own.sink().push({ type: "snapshot", records: many });
    // Four of five services leave at once.
    own.sink().push({ type: "snapshot", records: many.slice(0, 1) });
    await eventually("the guard", async () => (await lines()).includes('signalbox_guard_open{registry="own/a"} 1'));
    const shown = await lines();
    expect(shown).toContain('signalbox_guard_decisions_total{registry="own/a",type="tripped"} 1');
    expect(shown).toContain('signalbox_guard_decisions_total{registry="own/a",type="held"} 1');
    expect(shown).toContain("signalbox_bus_leading 1");
    expect(shown).toContain("signalbox_journal_degraded 0");
    await eventually("the journal", async () =>
      (await lines()).some((line) => /^signalbox_journal_sequence [1-9]/.test(line)),
    );
  });

  it("writes one node's resources as files", async () => {
    const files = writeServices("web.json", { web: ["127.0.0.1:9001"] });
    const xds = { ...anyPort.xds, files: { dir: "out", node: "edge" } };
    await start({ rules: [{ files }], xds });
    const cds = join(dir, "out", "cds.json");
    const text = await eventually("the file", () => existsSync(cds) && readFileSync(cds, "utf8"));
    expect(text).toContain("outbound|8000||web.shop.svc.cluster.local");
  });

  it("opens no port when both servers are off", async () => {
    const signalbox = await start({ xds: { plaintext: false }, debug: false });
    expect(await signalbox.listening(stop.signal)).toEqual({ xds: {} });
  });

  it("fails as a whole, with everything closed, when a port is taken", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const address = taken.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const signalbox = await createSignalbox({ ...anyPort, xds: { plaintext: { port } } }, { baseDir: dir });
    const run = signalbox.run(stop.signal);
    await expect(run).rejects.toThrow("EADDRINUSE");
    await expect(signalbox.listening(stop.signal)).rejects.toThrow("EADDRINUSE");
    await new Promise((resolve) => taken.close(resolve));
  });

  it("looks for certificates beside the configuration", async () => {
    const tls = { port: 0, cert: "cert.pem", key: { file: "keys/key.pem" }, ca: join(dir, "ca.pem") };
    const signalbox = await createSignalbox({ xds: { plaintext: false, tls }, debug: false }, { baseDir: dir });
    await expect(signalbox.run(stop.signal)).rejects.toMatchObject({
      code: "SBX_XDS_CERTIFICATE",
      message: expect.stringContaining(join(dir, "cert.pem")) as string,
    });
  });

  it("closes its ports when it is stopped", async () => {
    const signalbox = await start();
    const { debug, xds } = await signalbox.listening(stop.signal);
    stop.abort();
    await Promise.all(ended);
    await expect(fetch(`${debug?.url ?? ""}/healthz`)).rejects.toThrow();
    const again = createServer();
    await new Promise<void>((resolve, reject) => {
      again.once("error", reject);
      again.listen(xds.plaintext?.port, "127.0.0.1", resolve);
    });
    await new Promise((resolve) => again.close(resolve));
  });
});

describe("reloading", () => {
  it("adds, replaces and removes registries, and says what needs a restart", async () => {
    const one = writeServices("one.json", { one: ["127.0.0.1:9001"] });
    const two = writeServices("two.json", { two: ["127.0.0.1:9002"] });
    const entry = (name: string, file: string): { provider: string; name: string; paths: string[] } => {
      return { provider: "static", name, paths: [file] };
    };
    const signalbox = await start({ registries: [entry("a", one), entry("b", one)] });
    const report = await signalbox.reload({
      ...anyPort,
      registries: [entry("b", two), entry("c", one)],
      log: { level: "debug" },
      mesh: { proxyHttpPort: 1 },
    });
    expect(report).toEqual({
      added: ["static/c"],
      replaced: ["static/b"],
      removed: ["static/a"],
      needRestart: ["log.level", "mesh.proxyHttpPort"],
    });
    await eventually(
      "both services",
      () => hostnames(signalbox).join() === "one.shop.svc.cluster.local,two.shop.svc.cluster.local",
    );
    expect(signalbox.registries().map(({ id }) => id)).toEqual(["static/b", "static/c"]);
    expect(
      (await signalbox.reload({ ...anyPort, registries: [entry("b", two), entry("c", one)] })).needRestart,
    ).toEqual([]);
  });

  it("keeps a replaced registry's services until the new one speaks", async () => {
    const one = writeServices("one.json", { one: ["127.0.0.1:9001"] });
    const signalbox = await start({ registries: [{ provider: "static", name: "a", paths: [one] }] });
    const gone: string[] = [];
    signalbox.appendServiceHandler((previous, current) => {
      if (current === undefined) gone.push(previous?.hostname ?? "");
    });
    await signalbox.reload({ ...anyPort, registries: [{ provider: "static", name: "a", paths: ["later.json"] }] });
    expect(hostnames(signalbox)).toEqual(["one.shop.svc.cluster.local"]);
    writeServices("later.json", { one: ["127.0.0.1:9009"] });
    await eventually("the new endpoint", () =>
      signalbox.instancesByPort("one.shop.svc.cluster.local", 8000).some(({ instance: { addresses } }) => {
        return addresses[0].type === "ip" && addresses[0].port === 9009;
      }),
    );
    expect(gone).toEqual([]);
  });

  it("takes no service away that the new configuration still has, whoever serves it", async () => {
    const one = writeServices("one.json", { one: ["127.0.0.1:9001"] });
    const two = writeServices("two.json", { two: ["127.0.0.1:9002"] });
    const signalbox = await start({
      registries: [{ provider: "static", name: "old", paths: [one] }],
      rules: [{ files: "nothing-yet.yaml" }, { files: two }],
      aggregate: { syncDeadlineMs: 1000 },
    });
    const gone: string[] = [];
    signalbox.appendServiceHandler((previous, current) => {
      if (current === undefined) gone.push(previous?.hostname ?? "");
    });
    const report = await signalbox.reload({
      ...anyPort,
      registries: [{ provider: "static", name: "new", paths: [one] }],
      rules: [{ files: two }],
    });
    expect(report.removed).toEqual(["static/old", "static/rules:nothing-yet.yaml"]);
    await eventually("the old registry to go", () => signalbox.registries().length === 2);
    expect(hostnames(signalbox)).toEqual(["one.shop.svc.cluster.local", "two.shop.svc.cluster.local"]);
    expect(gone).toEqual([]);
  });

  it("takes over no cluster that would hide pods from the withdrawals that run", async () => {
    const hidden = {
      provider: "kubernetes",
      name: "one",
      url: "http://127.0.0.1:9",
      namespaces: { include: ["shop"] },
    };
    const clusters = [{ registry: "kubernetes/one", podCidrs: ["192.0.2.0/24"] }];
    const withdraw = { registries: ["eureka/*"], services: ["*"] };
    const signalbox = await start({ drift: { clusters, withdraw } });
    // Without `drift` only a restart would end them.
    await expect(signalbox.reload({ ...anyPort, registries: [hidden] })).rejects.toThrow(
      "registries[0].namespaces.include: hides pods of kubernetes/one",
    );
    expect(signalbox.registries()).toEqual([]);
  });

  it("changes nothing when the new configuration has a mistake", async () => {
    const one = writeServices("one.json", { one: ["127.0.0.1:9001"] });
    const registries = [{ provider: "static", name: "a", paths: [one] }];
    const signalbox = await start({ registries });
    await expect(signalbox.reload({ registries: [{ provider: "statik", name: "a" }] })).rejects.toThrow(ConfigError);
    expect(await signalbox.reload({ ...anyPort, registries })).toEqual({
      added: [],
      replaced: [],
      removed: [],
      needRestart: [],
    });
    expect(hostnames(signalbox)).toEqual(["one.shop.svc.cluster.local"]);
  });
});
