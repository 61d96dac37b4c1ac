import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { apiRequest, Road, startHttpBackend, startKube, type RunningKube } from "@signalbox/test-servers";
import { PodCluster } from "../pod-cluster.ts";
import { CleanUp } from "./clean-up.ts";
import { goThrough, until, type Fault, type FaultReport } from "./fault.ts";
import { KubernetesReader } from "./kubernetes-reader.ts";
import { Scene } from "./scene.ts";

// Runs in a private network. Its arguments are the addresses of the pods, of which the last one comes only with the changes.

/** What befalls the API server. */
export type FaultName =
  | "killed"
  | "frozen"
  | "restarted in good order"
  | "without etcd"
  | "watches end"
  | "version expired"
  | "token ended"
  | "rights narrowed";

/** What came of one fault, or why it did not come to an end. */
export interface FaultOutcome {
  readonly report?: FaultReport;
  readonly error?: string;
  /** How often a watch was told that its version expired (410), and how often everything of a kind was listed anew. */
  readonly expired: number;
  readonly relists: number;
}

/** What the scenario prints, as JSON. */
export type FaultOutcomes = Readonly<Record<FaultName, FaultOutcome>>;

const pods = process.argv.slice(2);
const spare = pods.pop() ?? "";
const counters = {
  expired: "signalbox_kubernetes_watch_expiries_total",
  relists: "signalbox_kubernetes_relists_total",
  watches: "signalbox_kubernetes_watches_total",
} as const;

const cleanUp = new CleanUp();

/** Takes away all versions but the newest from etcd. */
async function compact(kube: RunningKube): Promise<void> {
  const ask = async (path: string, body: object): Promise<unknown> => {
    const answer = await apiRequest(`${kube.etcdUrl ?? ""}${path}`, { method: "POST", body });
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.text}`);
    return answer.json();
  };
  const { header } = (await ask("/v3/maintenance/status", {})) as { header: { revision: string } };
  await ask("/v3/kv/compaction", { revision: header.revision });
}

function faultsOf(
  kube: RunningKube,
  { cluster, reader, road, scene }: { cluster: PodCluster; reader: KubernetesReader; road: Road; scene: Scene },
): Readonly<Record<FaultName, Fault>> {
  const isReady = async () => (await kube.request("/readyz", { token: "" })).status === 200;
  /** Until each kind of object was watched so many more times: none of them is waiting after a failure then. */
  const watched = (times: number) => scene.untilEachCounted(counters.watches, times);
  let restarting: Promise<void> | undefined;
  return {
    killed: { begin: () => kube.kill(), during: "UNREACHABLE", end: () => kube.restart() },
    frozen: { begin: () => kube.freeze(), during: "UNREACHABLE", end: () => kube.thaw() },
    "restarted in good order": {
      begin: () => {
        restarting = kube.restart();
      },
      during: "UNREACHABLE",
      end: () => restarting,
    },
    "without etcd": {
      begin: async () => {
        // The server goes on with watches from its memory; only lists need its etcd.
        await watched(1);
        await kube.etcd.kill();
      },
      during: async () => {
        await until("an API server that is not ready", async () => !(await isReady()));
        await watched(1);
      },
      end: () => kube.etcd.restart(),
      healed: () => until("an API server that is ready again", isReady),
    },
    "watches end": { begin: () => watched(1), during: () => watched(2), end: () => undefined },
    "version expired": {
      begin: async () => {
        await road.close();
        for (let count = 0; count < 3; count++) await cluster.touch();
        await compact(kube);
        // Its cache of old versions goes with it.
        await kube.restart();
      },
      during: "UNREACHABLE",
      end: () => road.open(),
      // A relist of each kind, and the watch that follows.
      healed: () => watched(2),
    },
    "token ended": { begin: () => reader.end(), during: "AUTH_FAILED", end: () => reader.begin() },
    "rights narrowed": { begin: () => reader.forbid(), during: "AUTH_FAILED", end: () => reader.allow() },
  };
}

async function outcomeOf(scene: Scene, cluster: PodCluster, fault: Fault): Promise<FaultOutcome> {
  const counted = async () => [await scene.counter(counters.expired), await scene.counter(counters.relists)] as const;
  const change = { name: spare, make: () => cluster.addPod(spare), undo: () => cluster.removePod(spare) };
  const before = await counted();
  let result: { readonly report: FaultReport } | { readonly error: string };
  try {
    result = { report: await goThrough(scene, fault, change) };
  } catch (error) {
    result = { error: error instanceof Error ? (error.stack ?? error.message) : String(error) };
  }
  const after = await counted();
  return { ...result, expired: after[0] - before[0], relists: after[1] - before[1] };
}

async function scenario(): Promise<FaultOutcomes> {
  const folder = await mkdtemp(join(tmpdir(), "signalbox-faults-"));
  cleanUp.add(() => rm(folder, { recursive: true }));
  const kube = cleanUp.keep(await startKube({ own: true }));
  for (const pod of [...pods, spare]) cleanUp.keep(await startHttpBackend({ name: pod, host: pod, port: 8080 }));
  const cluster = new PodCluster(kube);
  await cluster.createService();
  for (const pod of pods) await cluster.addPod(pod);
  const reader = new KubernetesReader(kube, join(folder, "token"));
  await reader.begin();
  await reader.allow();
  const road = new Road(kube.url);
  await road.open();
  cleanUp.add(() => road.close());

  const scene = cleanUp.keep(
    await Scene.start({
      registry: {
        ...{
          provider: "kubernetes",
          url: road.url,
          tls: { ca: { file: kube.caFile } },
          token: { file: reader.tokenFile },
        },
        ...{ namespaces: { include: ["shop"] }, nodes: false },
        // No watch is silent for longer than it lasts, so that silence beyond that is a frozen server.
        ...{ watchSeconds: 2, watchdogMs: 6000, requestMs: 2000 },
      },
      host: "web.shop.svc.cluster.local",
      endpoints: pods.length,
      mode: "delta",
    }),
  );
  const faults = faultsOf(kube, { cluster, reader, road, scene });
  const outcomes: Partial<Record<FaultName, FaultOutcome>> = {};
  for (const [name, fault] of Object.entries(faults) as [FaultName, Fault][])
    outcomes[name] = await outcomeOf(scene, cluster, fault);
  return outcomes as FaultOutcomes;
}

try {
  process.stdout.write(JSON.stringify(await scenario()));
} finally {
  await cleanUp.run();
}
