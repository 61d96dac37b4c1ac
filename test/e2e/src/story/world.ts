import {
  adsBootstrap,
  freePort,
  get,
  startDaemon,
  startEnvoy,
  startEureka,
  startKube,
  waitFor,
  type Daemon,
  type RunningEnvoy,
  type RunningEureka,
  type RunningKube,
} from "@signalbox/test-servers";
import type { CleanUp } from "../faults/clean-up.ts";
import { Calls } from "./calls.ts";
import { billing, billingPod, newPods, oldPods, orders } from "./cast.ts";
import { Cluster, podOf } from "./cluster.ts";
import { configuration } from "./configuration.ts";
import { EnvoyView } from "./envoy-view.ts";
import { PodProcess } from "./pod-process.ts";

/** All that the story is played with. */
export interface World {
  readonly eureka: RunningEureka;
  readonly kube: RunningKube;
  readonly cluster: Cluster;
  /** Processes of pods, by address. */
  readonly pods: Map<string, PodProcess>;
  readonly daemon: Daemon;
  readonly envoy: RunningEnvoy;
  /** What Envoy has of `orders`. */
  readonly view: EnvoyView;
  readonly calls: Calls;
  /** Starts the process of a pod. */
  readonly startPod: (service: string, address: string, registers: boolean) => Promise<void>;
}

/** Starts all of it. Resolves when calls to `orders` are answered by all old pods, and by no others. */
export async function startWorld(cleanUp: CleanUp): Promise<World> {
  const [eureka, kube] = await Promise.all([
    startRegistry().then((server) => cleanUp.keep(server)),
    startKube({ own: true }).then((server) => cleanUp.keep(server)),
  ]);
  await abandon(eureka, 10);
  const pods = new Map<string, PodProcess>();
  const startPod = async (service: string, address: string, registers: boolean): Promise<void> => {
    const pod = await PodProcess.start({ service, address, ...(registers && { eureka: eureka.url }) });
    pods.set(address, cleanUp.keep(pod));
  };
  const cluster = new Cluster(kube);
  await populate(cluster);
  for (const address of oldPods) await startPod(orders.name, address, true);
  for (const address of newPods) await startPod(orders.name, address, false);
  await startPod(billing.name, billingPod, false);

  const proxyHttpPort = await freePort();
  const config = configuration({ eurekaUrl: eureka.url, kubeconfig: kube.kubeconfig, proxyHttpPort });
  const daemon = cleanUp.keep(await startDaemon({ config }));
  const node = { id: "sidecar~127.0.0.1~caller.prod~prod.svc.cluster.local", metadata: { INTERCEPTION_MODE: "NONE" } };
  const bootstrap = adsBootstrap({ node, xdsPort: daemon.xdsPort, mode: "delta" });
  const envoy = cleanUp.keep(await startEnvoy({ bootstrap }));
  const view = new EnvoyView(envoy, orders.host, orders.port);
  await view.until("the old pods", (endpoints) => isExactly(endpoints.keys(), oldPods));
  for (const host of [orders.host, billing.host])
    await waitFor(async () => (await get(proxyHttpPort, host)).status === 200, { what: `an answer of ${host}` });
  const calls = cleanUp.keep(new Calls(proxyHttpPort));
  await calls.answered(100);
  return { eureka, kube, cluster, pods, daemon, envoy, view, calls, startPod };
}

/** Whether these are those, in any order. */
export function isExactly(these: Iterable<string>, those: readonly string[]): boolean {
  return JSON.stringify([...these].sort()) === JSON.stringify([...those].sort());
}

/** Eureka with the settings of production, times being a thirtieth of theirs. */
function startRegistry(): Promise<RunningEureka> {
  return startEureka({
    own: true,
    properties: {
      "eureka.server.enable-self-preservation": true,
      "eureka.server.renewal-percent-threshold": 0.85,
      "eureka.server.expected-client-renewal-interval-seconds": 1,
      "eureka.server.renewal-threshold-update-interval-ms": 30_000,
      "eureka.server.eviction-interval-timer-in-ms": 2000,
      "eureka.server.use-read-only-response-cache": true,
      "eureka.server.response-cache-update-interval-ms": 1000,
    },
  });
}

/**
 * Registers instances of another application, whose heartbeats never come, as after the loss of a zone. Eureka then preserves
 * itself: it takes silence for a broken network, and ends no lease.
 */
async function abandon(eureka: RunningEureka, count: number): Promise<void> {
  for (let number = 1; number <= count; number++) {
    const instance = {
      instanceId: `batch-${number}`,
      hostName: `10.40.9.${number}`,
      app: "BATCH",
      ipAddr: `10.40.9.${number}`,
      status: "UP",
      port: { $: 8080, "@enabled": "true" },
      securePort: { $: 443, "@enabled": "false" },
      dataCenterInfo: { "@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", name: "MyOwn" },
      leaseInfo: { renewalIntervalInSecs: 1, durationInSecs: 3 },
      vipAddress: "batch",
    };
    const answer = await eureka.request("/apps/BATCH", { method: "POST", body: { instance } });
    if (answer.status !== 204) throw new Error(`Eureka refused batch-${number}: ${answer.status} ${answer.text}`);
  }
}

async function populate(cluster: Cluster): Promise<void> {
  await cluster.createNamespace();
  await cluster.createService(orders.name, { app: orders.name, generation: "new" });
  await cluster.createService(billing.name, { app: billing.name });
  for (const address of oldPods) await cluster.addPod(podOf(orders.name, address, "old"));
  const fresh = newPods.map((address) => podOf(orders.name, address, "new"));
  const other = podOf(billing.name, billingPod, "new");
  for (const pod of [...fresh, other]) await cluster.addPod(pod);
  await cluster.publish(orders.name, fresh);
  await cluster.publish(billing.name, [other]);
}
