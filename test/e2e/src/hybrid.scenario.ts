import { readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  adsBootstrap,
  get,
  startConsul,
  startDaemon,
  startEnvoy,
  startEureka,
  startHttpBackend,
  startKube,
  startSpringProvider,
  startTraffic,
  waitFor,
  type Answer,
  type Daemon,
  type RunningConsul,
  type RunningSpringProvider,
} from "@signalbox/test-servers";
import { PodCluster } from "./pod-cluster.ts";

// Runs in a private network that has the addresses 10.244.1.x (pods), 10.244.2.x (Spring) and 10.244.3.x (Consul). Prints what it saw.

/** What the scenario prints, as JSON. */
export interface HybridResult {
  /** What happened, in order. */
  readonly seen: readonly string[];
  readonly requests: number;
  /** Answers that were not 200, in the whole time after the first good one of each name. */
  readonly failed: readonly string[];
  readonly nacks: number;
}

const proxyPort = 15080;
const names = {
  eureka: "orders.eureka",
  consul: "billing.service.consul",
  kubernetes: "web.shop.svc.cluster.local",
} as const;
const patience = { deadlineMs: 90_000, intervalMs: 100 } as const;

const seen: string[] = [];
const cleanUp: (() => Promise<unknown>)[] = [];
const keep = <T extends { stop: () => Promise<unknown> }>(server: T): T => {
  cleanUp.unshift(() => server.stop());
  return server;
};

/** Registers an instance with the agent, as a service's own start script does. */
async function registerInConsul(consul: RunningConsul, id: string, address: string): Promise<void> {
  const body = { ID: id, Name: "billing", Address: address, Port: 8080 };
  const answer = await consul.request("/v1/agent/service/register", { method: "PUT", body });
  if (answer.status !== 200) throw new Error(`Consul refused ${id}: ${answer.status} ${answer.text}`);
}

/** Starts an application that is in Eureka under its own lease of 90 s, as in production: a busy machine must not end it. */
async function startOrders(eurekaUrl: string, host: string): Promise<RunningSpringProvider> {
  const properties = { "eureka.instance.lease-expiration-duration-in-seconds": 90 };
  return keep(await startSpringProvider({ eurekaUrl, name: "orders", host, properties }));
}

/** Waits until the daemon says of a registry whether it can be read. */
async function untilRead(daemon: Daemon, provider: keyof typeof names, readable: boolean): Promise<void> {
  const ask = async (): Promise<boolean> => {
    const registries = (await daemon.debug("/debug/registriesz")) as readonly { id: string; problem?: string }[];
    const found = registries.find(({ id }) => id === `${provider}/${provider}`);
    return found !== undefined && (found.problem === undefined) === readable;
  };
  await waitFor(ask, { what: `${provider} to be ${readable ? "readable" : "unreadable"}`, ...patience });
}

/** Steady calls to all three names. */
class Callers {
  readonly #traffic = Object.values(names).map((name) => ({ name, traffic: startTraffic(proxyPort, name, 1, 10) }));

  /** Waits for answers that began after this call, to each name. */
  async answered(count = 20): Promise<void> {
    await Promise.all(
      this.#traffic.map(async ({ traffic }) => {
        for (let left = count; left > 0; left--) await traffic.next(() => true, 30_000);
      }),
    );
  }

  /** Waits until an instance answers a call by the name. */
  async reaches(name: string, instance: (answer: Answer) => boolean): Promise<void> {
    await this.#traffic.find((one) => one.name === name)?.traffic.next(instance, patience.deadlineMs);
  }

  async stop(): Promise<Pick<HybridResult, "failed" | "requests">> {
    const failed: string[] = [];
    let requests = 0;
    for (const { name, traffic } of this.#traffic) {
      for (const { status, text } of await traffic.stop()) failed.push(`${name}: ${status} ${text}`);
      requests += traffic.answers.length;
    }
    return { failed, requests };
  }
}

async function scenario(): Promise<HybridResult> {
  const [consul, eureka, kube] = await Promise.all([
    startConsul({ own: true, data: "disk", acl: true }).then(keep),
    startEureka({ own: true }).then(keep),
    startKube({ own: true }).then(keep),
  ]);
  for (const host of ["10.244.1.1", "10.244.1.2", "10.244.1.3", "10.244.3.1", "10.244.3.2"])
    keep(await startHttpBackend({ name: host, host, port: 8080 }));
  const cluster = new PodCluster(kube);
  await cluster.createService();
  await cluster.addPod("10.244.1.1");
  await registerInConsul(consul, "billing-1", "10.244.3.1");
  await startOrders(eureka.url, "10.244.2.1");

  const daemon = keep(
    await startDaemon({
      config: await readFile(join(import.meta.dirname, "../../../examples/hybrid/signalbox.yaml"), "utf8"),
      env: {
        EUREKA_URL: eureka.url,
        CONSUL_URL: consul.url,
        CONSUL_TOKEN: consul.token ?? "",
        KUBECONFIG: kube.kubeconfig,
      },
    }),
  );
  const node = {
    id: "sidecar~127.0.0.1~caller.shop~shop.svc.cluster.local",
    cluster: "caller.shop",
    metadata: { INTERCEPTION_MODE: "NONE" },
  };
  const envoy = keep(await startEnvoy({ bootstrap: adsBootstrap({ node, xdsPort: daemon.xdsPort, mode: "delta" }) }));
  for (const name of Object.values(names))
    await waitFor(async () => (await get(proxyPort, name)).status === 200, { what: `${name} to answer`, ...patience });

  const callers = new Callers();
  cleanUp.unshift(() => callers.stop());
  await callers.answered();
  seen.push("all three by name");

  const added = callers.reaches(names.kubernetes, ({ text }) => text === "10.244.1.2");
  await cluster.addPod("10.244.1.2");
  await added;
  seen.push("a pod is added");

  const servers = { consul, eureka, kubernetes: kube };
  const title = { consul: "Consul", eureka: "Eureka", kubernetes: "Kubernetes" };
  for (const provider of ["consul", "eureka", "kubernetes"] as const) {
    await servers[provider].kill();
    await untilRead(daemon, provider, false);
    await callers.answered();
    seen.push(`${title[provider]} killed`);
  }
  for (const provider of ["consul", "eureka", "kubernetes"] as const) await servers[provider].restart();
  for (const provider of ["consul", "eureka", "kubernetes"] as const) await untilRead(daemon, provider, true);
  await callers.answered();
  seen.push("all are back");

  await registerInConsul(consul, "billing-2", "10.244.3.2");
  await callers.reaches(names.consul, ({ text }) => text === "10.244.3.2");
  seen.push("a change in Consul");
  const second = await startOrders(eureka.url, "10.244.2.2");
  await callers.reaches(names.eureka, ({ text }) => text.includes(`"port":${second.port},`));
  seen.push("a change in Eureka");
  await cluster.addPod("10.244.1.3");
  await callers.reaches(names.kubernetes, ({ text }) => text === "10.244.1.3");
  seen.push("a change in Kubernetes");

  await callers.answered();
  return { seen, ...(await callers.stop()), nacks: await envoy.nacks() };
}

try {
  process.stdout.write(JSON.stringify(await scenario()));
} catch (error) {
  throw new Error(`after: ${seen.join(", ") || "nothing"}`, { cause: error });
} finally {
  for (const stop of cleanUp) await stop();
}
