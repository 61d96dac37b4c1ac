import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kubernetesModule } from "@signalbox/adapter-kubernetes";
import { serviceKey } from "@signalbox/model";
import type { ServiceKey } from "@signalbox/model";
import { silentLogger, systemClock } from "@signalbox/registry";
import { RecordingSink } from "@signalbox/registry/conformance";
import { startKube, type RunningKube } from "@signalbox/test-servers";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { KubernetesWorld, reader } from "./kubernetes-world.ts";

const deadlineMs = 60_000;
let kube: RunningKube;
let dir: string;
let world: KubernetesWorld;
const running: Following[] = [];

beforeAll(async () => {
  kube = await startKube({ own: true, users: [reader] });
  await kube.grant(reader.name, [{ apiGroups: [""], resources: ["nodes"], verbs: ["list", "watch"] }]);
  dir = await mkdtemp(join(tmpdir(), "signalbox-kubernetes-"));
});

beforeEach(async () => {
  world = await KubernetesWorld.open(kube);
});

afterEach(async () => {
  await Promise.all(running.splice(0).map((following) => following.stop()));
  await world.close();
});

afterAll(async () => {
  await kube.stop();
  await rm(dir, { recursive: true, force: true });
});

/** A registry that runs against the real server by the real clock, and all that it said. */
class Following {
  readonly sink = new RecordingSink();
  readonly counts = new Map<string, number>();
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;

  constructor(config: object) {
    const registry = kubernetesModule.create(
      kubernetesModule.parseConfig({
        requestMs: 2000,
        namespaces: { include: [world.namespace] },
        ...config,
      }),
      {
        name: "faults",
        logger: silentLogger,
        clock: systemClock,
        metrics: { counter: (name) => this.counts.set(name, (this.counts.get(name) ?? 0) + 1), histogram: () => {} },
        baseDir: dir,
      },
    );
    this.#ended = registry.run(this.sink, this.#stop.signal);
    running.push(this);
  }

  count(name: string): number {
    return this.counts.get(name) ?? 0;
  }

  async until(predicate: (sink: RecordingSink) => boolean): Promise<void> {
    await this.sink.waitFor(predicate, deadlineMs);
  }

  async has(key: ServiceKey, instances: number): Promise<void> {
    await this.until((sink) => sink.records.get(key)?.instances.length === instances);
  }

  /** Waits until every collection failed that many more times. */
  async fails(problem: string, times: number): Promise<void> {
    const before = this.sink.degradations.length;
    await this.until((sink) => {
      const since = sink.degradations.slice(before).filter((one) => one.problem === problem);
      return ["services", "endpointslices", "pods"].every(
        (collection) => since.filter(({ error }) => placeOf(error).endsWith(collection)).length >= times,
      );
    });
  }

  /** Waits until it says that it is alive after everything it said so far. */
  async recovers(): Promise<void> {
    const before = this.sink.aliveCount;
    await this.until((sink) => sink.aliveCount > before);
  }

  /** Every endpoint that was ever taken away, with its service. */
  losses(): readonly string[] {
    const now = new Map<ServiceKey, ReadonlySet<string>>();
    const lost: string[] = [];
    for (const update of this.sink.updates) {
      const { upserted, removed } =
        update.type === "delta"
          ? { upserted: update.records?.upserted ?? [], removed: update.records?.removed ?? [] }
          : { upserted: update.records, removed: [] };
      for (const { service, instances } of upserted) {
        const ids = new Set(instances.map(({ id }) => id));
        for (const id of now.get(serviceKey(service)) ?? []) if (!ids.has(id)) lost.push(`${service.hostname} ${id}`);
        now.set(serviceKey(service), ids);
      }
      for (const key of removed) {
        for (const id of now.get(key) ?? []) lost.push(`${key} ${id}`);
        now.delete(key);
      }
    }
    return lost;
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }
}

/** The path that failed: an HttpError has it, and other messages begin with it. */
function placeOf(error: Error): string {
  return "url" in error && typeof error.url === "string" ? error.url : (error.message.split(":", 1)[0] ?? "");
}

function byRoad(config: object = {}): Following {
  return new Following({ url: world.road.url, tls: { ca: { file: kube.caFile } }, token: reader.token, ...config });
}

function web(instances: number) {
  return {
    name: "web",
    port: 8080,
    instances: Array.from({ length: instances }, (_, index) => ({ name: `web-${index}`, ip: `10.1.0.${index + 1}` })),
  };
}

describe("the Kubernetes adapter and a real API server in trouble", { timeout: 180_000 }, () => {
  it("keeps everything while the server is dead by kill -9, says so, and goes on by itself when it is back", async () => {
    const key = await world.set(web(3));
    const following = byRoad();
    await following.has(key, 3);
    await kube.kill();
    await following.fails("UNREACHABLE", 3);
    expect(following.sink.updates).toHaveLength(1);
    await kube.restart();
    await following.recovers();
    await world.set(web(4));
    await following.has(key, 4);
    expect(following.losses()).toEqual([]);
  });

  it("notices a frozen server by its watchdog, keeps everything, and goes on after the thaw", async () => {
    const key = await world.set(web(3));
    const following = byRoad({ watchdogMs: 2000 });
    await following.has(key, 3);
    kube.freeze();
    try {
      await following.fails("UNREACHABLE", 2);
      expect(following.sink.updates).toHaveLength(1);
    } finally {
      kube.thaw();
    }
    await world.set(web(4));
    await following.has(key, 4);
    expect(following.losses()).toEqual([]);
  });

  it("lists anew when its version expired over a restart, and tells only the difference", async () => {
    const key = await world.set(web(3));
    const old = await world.set({ ...web(1), name: "old" });
    const following = byRoad();
    await following.has(old, 1);
    await following.has(key, 3);
    await world.road.close();
    await world.remove("old");
    await world.set(web(4));
    await kube.restart();
    await world.road.open();
    await following.has(key, 4);
    await following.until((sink) => !sink.records.has(old));
    expect(following.count("kubernetes_watch_expiries_total")).toBeGreaterThan(0);
    expect(following.count("kubernetes_relists_total")).toBeGreaterThan(0);
    expect(following.losses().every((loss) => loss.includes("old"))).toBe(true);
  });

  it("follows on when a server in good order ends every watch, without a failure and without a list", async () => {
    const key = await world.set(web(3));
    const following = byRoad({ watchSeconds: 1 });
    await following.has(key, 3);
    await following.until(() => following.count("kubernetes_watches_total") >= 16);
    for (const instances of [4, 5, 6]) {
      await world.set(web(instances));
      await following.has(key, instances);
    }
    expect(following.sink.degradations).toEqual([]);
    expect(following.count("kubernetes_relists_total")).toBe(0);
    expect(following.losses()).toEqual([]);
  });

  it("lists anew when a server is silent past its watchdog, and misses nothing", async () => {
    const key = await world.set(web(2));
    // Bookmarks come once a minute, so that a watchdog of two seconds barks at a healthy server.
    const following = byRoad({ watchdogMs: 2000 });
    await following.has(key, 2);
    await following.until(() => following.count("kubernetes_relists_total") >= 4);
    await world.set(web(3));
    await following.has(key, 3);
    expect(following.losses()).toEqual([]);
  });

  it("keeps everything while its token is refused, and takes the new one from the file", async () => {
    const tokenFile = join(dir, "token");
    await writeFile(tokenFile, reader.token);
    const key = await world.set(web(3));
    const following = byRoad({ token: { file: tokenFile }, watchSeconds: 1 });
    await following.has(key, 3);
    await writeFile(tokenFile, "no-such-token");
    await following.fails("AUTH_FAILED", 2);
    await world.set(web(4));
    await following.fails("AUTH_FAILED", 2);
    expect(following.sink.records.get(key)?.instances).toHaveLength(3);
    await writeFile(tokenFile, `${reader.token}\n`);
    await following.has(key, 4);
    await following.recovers();
    expect(following.losses()).toEqual([]);
  });

  it("outlives the end of its service account's token, by kubeconfig", async () => {
    const path = `/api/v1/namespaces/${world.namespace}/serviceaccounts`;
    const tokenFile = join(dir, "account-token");
    const begin = async () => {
      await kube.create(path, { metadata: { name: "signalbox" } });
      const answer = await kube.create(`${path}/signalbox/token`, { spec: {} });
      await writeFile(tokenFile, (answer["status"] as { token: string }).token);
    };
    await begin();
    const subjects = [{ kind: "ServiceAccount", name: "signalbox", namespace: world.namespace }];
    const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "reader" };
    const bindings = `/apis/rbac.authorization.k8s.io/v1/namespaces/${world.namespace}/rolebindings`;
    await kube.create(bindings, { metadata: { name: "account" }, subjects, roleRef });
    const kubeconfig = join(dir, "account.kubeconfig");
    await kube.writeKubeconfig(kubeconfig, { tokenFile });
    const key = await world.set(web(3));
    const following = new Following({ kubeconfig, nodes: false, watchSeconds: 1 });
    await following.has(key, 3);
    await kube.request(`${path}/signalbox`, { method: "DELETE" });
    await following.fails("AUTH_FAILED", 2);
    expect(following.sink.records.get(key)?.instances).toHaveLength(3);
    await begin();
    await world.set(web(4));
    await following.has(key, 4);
    expect(following.losses()).toEqual([]);
  });

  it("keeps everything while its rights are gone, and goes on when they are back", async () => {
    const key = await world.set(web(3));
    const following = byRoad({ watchSeconds: 1 });
    await following.has(key, 3);
    await world.forbid();
    await following.fails("AUTH_FAILED", 2);
    await world.set(web(2));
    await following.fails("AUTH_FAILED", 2);
    expect(following.sink.records.get(key)?.instances).toHaveLength(3);
    expect(following.losses()).toEqual([]);
    await world.allow();
    await following.has(key, 2);
    await following.recovers();
  });

  it("shows a client certificate instead of a token", async () => {
    const key = await world.set(web(2));
    const files = await kube.clientCertificate(reader.name);
    const tls = { ca: { file: kube.caFile }, cert: { file: files.certFile }, key: { file: files.keyFile } };
    const following = byRoad({ token: undefined, tls });
    await following.has(key, 2);
  });
});
