import { setTimeout as delay } from "node:timers/promises";
import { waitFor, type Answer } from "@signalbox/test-servers";
import { CachingClient, listed } from "./caching-client.ts";
import { rowOf } from "./calls.ts";
import { billing, billingPod, doomed, late, newPods, oldPods, orders } from "./cast.ts";
import { podOf } from "./cluster.ts";
import { onlyEureka, share, type Shares } from "./configuration.ts";
import { shareOf } from "./envoy-view.ts";
import type { StepRow } from "./result.ts";
import { isExactly, type World } from "./world.ts";

/** Calls that each step waits for, once its change is in force. */
const afterwards = 500;

/** Milliseconds between two reads of the list by a client without Signalbox: 30 s by default, and all is thirty times as fast. */
const refreshMs = 1000;

const others = oldPods.filter((address) => address !== doomed);

/**
 * A pod dies and leaves its registration behind; then its address goes to a pod of another service. Beside the calls through
 * Signalbox there is a client that keeps a list.
 */
export async function deathOfAPod(world: World, explained: (step: string) => Promise<void>): Promise<readonly StepRow[]> {
  const { calls, cluster, eureka, pods, startPod, view } = world;
  const client = await CachingClient.start({ eureka, app: orders.name, refreshMs, callers: 4, pauseMs: 5 });
  try {
    const a = "a: a pod dies, and Eureka keeps it";
    const aBegan = performance.now();
    const left = view.until("the old pods without the dead one", (endpoints) => isExactly(endpoints.keys(), others));
    // Its own rejection is the better one.
    left.catch(() => undefined);
    await cluster.deletePod(podOf(orders.name, doomed, "old").name);
    const deleted = performance.now();
    await pods.get(doomed)?.kill();
    const pushed = await left;
    await calls.answered(afterwards);
    // The client had the time to read its list more than once.
    await delay(Math.max(0, deleted + 2.5 * refreshMs - performance.now()));
    const aStep = { step: a, began: aBegan, pushed };
    const aRows = [
      { ...rowOf("Signalbox", calls.answers, aStep), pushMs: pushed - deleted },
      rowOf("a cached list", client.answers, { ...aStep, pushed: deleted + refreshMs }),
    ];
    await explained(a);

    const b = "b: its address goes to a pod of another service";
    const bBegan = performance.now();
    const impostor = podOf(billing.name, doomed, "new");
    await startPod(billing.name, doomed, false);
    await cluster.addPod(impostor);
    await cluster.publish(billing.name, [podOf(billing.name, billingPod, "new"), impostor]);
    const published = performance.now();
    await calls.answered(afterwards);
    await delay(Math.max(0, published + 2.5 * refreshMs - performance.now()));
    const bStep = { step: b, began: bBegan, pushed: bBegan };
    const bRows = [
      rowOf("Signalbox", calls.answers, bStep),
      rowOf("a cached list", client.answers, { ...bStep, pushed: published + refreshMs }),
    ];
    await explained(b);
    if (!(await listed(eureka, orders.name)).includes(doomed)) throw new Error("Eureka did not keep the dead pod");
    return [...aRows, ...bRows];
  } finally {
    await client.stop();
  }
}

/** Eureka restarts, and nobody registers for some seconds. */
export async function emptyEureka(
  world: World,
  explained: (step: string) => Promise<void>,
): Promise<{ readonly row: StepRow; readonly changes: number }> {
  const { calls, eureka, pods, view } = world;
  const step = "c: Eureka restarts empty";
  const began = performance.now();
  const changes = await view.changes();
  const registering = others.flatMap((address) => pods.get(address) ?? []);
  for (const pod of registering) await pod.heartbeats("pause");
  await eureka.restart();
  await untilHealthy(world, "eureka/main");
  // Long enough for some reads of nothing.
  await delay(2000);
  if ((await listed(eureka, orders.name)).length > 0) throw new Error("Eureka is not empty");
  for (const pod of registering) await pod.heartbeats("resume");
  const isBack = async () => isExactly(await listed(eureka, orders.name), others);
  await waitFor(isBack, { what: "Eureka to know the old pods again", deadlineMs: 20_000 });
  await calls.answered(afterwards);
  const row = rowOf("Signalbox", calls.answers, { step, began, pushed: began });
  await explained(step);
  return { row, changes: (await view.changes()) - changes };
}

/** The requests go to the cluster's pods, step by step, and then back at once. */
export async function migration(
  world: World,
  requests: number,
  explained: (step: string) => Promise<void>,
): Promise<readonly StepRow[]> {
  const plan: readonly (readonly [string, Shares])[] = [
    ["d: 10 % to Kubernetes", { eureka: 90, kubernetes: 10 }],
    ["d: 50 % to Kubernetes", { eureka: 50, kubernetes: 50 }],
    ["d: 100 % to Kubernetes", { eureka: 0, kubernetes: 100 }],
    ["d: back to Eureka at once", onlyEureka],
  ];
  const rows: StepRow[] = [];
  for (const [step, shares] of plan) {
    rows.push(await shared(world, requests, step, shares));
    await explained(step);
  }
  return rows;
}

async function shared(world: World, requests: number, step: string, shares: Shares): Promise<StepRow> {
  const { calls, daemon, view } = world;
  const began = performance.now();
  const planned = shares.kubernetes;
  await share(daemon, shares);
  const written = performance.now();
  const pushed = await view.until(
    `${planned} % for the new pods`,
    (endpoints) => Math.abs(100 * shareOf(endpoints, newPods) - planned) < 0.5,
  );
  const burst = await calls.burst(requests);
  const row = rowOf("Signalbox", [...calls.answers, ...burst], { step, began, pushed });
  const measured = 100 * partOf(burst, newPods);
  return { ...row, pushMs: pushed - written, share: { planned, measured } };
}

/** The part of the good answers that came from these addresses, 0..1. */
function partOf(answers: readonly Answer[], addresses: readonly string[]): number {
  const good = answers.filter(({ status }) => status === 200);
  return good.filter(({ text }) => addresses.includes(text.split(" ")[1] ?? "")).length / good.length;
}

/** The cluster cannot be read for so long that it is not believed any more. A pod comes meanwhile, which only Eureka knows. */
export async function unreachableCluster(world: World, explained: (step: string) => Promise<void>): Promise<StepRow> {
  const { calls, cluster, kube, startPod, view } = world;
  const step = "e: Kubernetes cannot be read";
  const began = performance.now();
  await kube.kill();
  await waitFor(async () => (await stateOf(world, "kubernetes/main")).state === "STALE", {
    what: "a stale cluster",
    deadlineMs: 30_000,
  });
  await startPod(orders.name, late, true);
  await view.until("the pod that only Eureka knows", (endpoints) => isExactly(endpoints.keys(), [...others, late]));
  await calls.answered(afterwards);
  await explained(step);
  await kube.restart();
  await cluster.addPod(podOf(orders.name, late, "old"));
  await untilHealthy(world, "kubernetes/main");
  await calls.answered(afterwards);
  await view.until("all that live", (endpoints) => isExactly(endpoints.keys(), [...others, late]));
  return rowOf("Signalbox", calls.answers, { step, began, pushed: began });
}

interface RegistryState {
  readonly id: string;
  readonly state: string;
  readonly problem?: string;
}

async function stateOf({ daemon }: World, id: string): Promise<RegistryState> {
  const registries = (await daemon.debug("/debug/registriesz")) as readonly RegistryState[];
  const found = registries.find((registry) => registry.id === id);
  if (found === undefined) throw new Error(`the daemon does not know ${id}`);
  return found;
}

async function untilHealthy(world: World, id: string): Promise<void> {
  const isHealthy = async () => {
    const { problem, state } = await stateOf(world, id);
    return problem === undefined && state === "SYNCED";
  };
  await waitFor(isHealthy, { what: `${id} to be read`, deadlineMs: 60_000 });
}
