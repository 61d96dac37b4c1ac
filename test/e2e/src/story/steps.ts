import { setTimeout as delay } from "node:timers/promises";
import { waitFor, type Answer } from "@signalbox/test-servers";
import { CachingClient, listed } from "./caching-client.ts";
import { rowOf } from "./calls.ts";
import { answerOf, billing, billingPod, doomed, late, living, newPods, orders } from "./cast.ts";
import { podOf } from "./cluster.ts";
import { onlyEureka, share, type Shares } from "./configuration.ts";
import { shareOf } from "./envoy-view.ts";
import { departed, reasonOf, unheardOf, verdictOf } from "./explaining.ts";
import type { Report } from "./report.ts";
import type { StepRow } from "./result.ts";
import { isExactly, type World } from "./world.ts";

/** Calls that each step waits for, once its change is in force. */
const afterwards = 500;

/** Milliseconds between two reads of the list by a client without Signalbox: 30 s by default, and all is thirty times as fast. */
const refreshMs = 1000;

/**
 * A pod dies and leaves its registration behind; then its address goes to a pod of another service. Beside the calls through
 * Signalbox there is a client that keeps a list.
 */
export async function deathOfAPod(world: World, report: Report): Promise<void> {
  const { eureka } = world;
  const client = await CachingClient.start({ eureka, app: orders.name, refreshMs, callers: 4, pauseMs: 5 });
  try {
    await die(world, report, client);
    await inherit(world, report, client);
    if (!(await listed(eureka, orders.name)).includes(doomed)) throw new Error("Eureka did not keep the dead pod");
  } finally {
    await client.stop();
  }
}

async function die({ calls, cluster, pods, view }: World, report: Report, client: CachingClient): Promise<void> {
  const step = "a: a pod dies, and Eureka keeps it";
  const began = performance.now();
  const left = view.until("the old pods without the dead one", (endpoints) => isExactly(endpoints.keys(), living));
  // Its own rejection is the better one.
  left.catch(() => undefined);
  await cluster.deletePod(podOf(orders.name, doomed, "old").name);
  const deleted = performance.now();
  await pods.get(doomed)?.kill();
  const pushed = await left;
  await calls.answered(afterwards);
  await untilListWasRead(deleted);
  report.rows.push(
    { ...rowOf("Signalbox", calls.answers, { step, began, pushed }), pushMs: Math.max(0, pushed - deleted) },
    rowOf("a cached list", client.answers, { step, began, pushed: deleted + refreshMs }),
  );
  await report.explain(step, { [living[0]]: "SERVED", [doomed]: "GHOST", [newPods[0]]: "WEIGHT_ZERO" });
}

async function inherit({ calls, cluster, startPod }: World, report: Report, client: CachingClient): Promise<void> {
  const step = "b: its address goes to a pod of another service";
  const began = performance.now();
  const impostor = podOf(billing.name, doomed, "new");
  await startPod(billing.name, doomed, false);
  await cluster.addPod(impostor);
  // It is a pod before it is an endpoint: the controller writes that later.
  await delay(500);
  await cluster.publish(billing.name, [podOf(billing.name, billingPod, "new"), impostor]);
  const published = performance.now();
  await calls.reaches(billing.host, answerOf(billing.name, doomed));
  await calls.answered(afterwards);
  await untilListWasRead(published);
  report.rows.push(
    rowOf("Signalbox", calls.answers, { step, began, pushed: began }),
    rowOf("a cached list", client.answers, { step, began, pushed: published + refreshMs }),
  );
  await report.explain(step, { [living[0]]: "SERVED", [doomed]: "IMPOSTOR" });
}

/** Waits until a client that keeps a list has read it more than once since then. */
async function untilListWasRead(since: number): Promise<void> {
  await delay(Math.max(0, since + 2.5 * refreshMs - performance.now()));
}

/** Eureka restarts, and nobody registers for some seconds. Resolves with how often Envoy's endpoints became others. */
export async function emptyEureka(world: World, report: Report): Promise<number> {
  const { calls, eureka, pods, view } = world;
  const step = "c: Eureka restarts empty";
  const began = performance.now();
  const changesBefore = await view.changes();
  const registering = living.flatMap((address) => pods.get(address) ?? []);
  for (const pod of registering) await pod.heartbeats("pause");
  await eureka.restart();
  await untilHealthy(world, "eureka/main");
  // Long enough for some reads of nothing.
  await delay(2000);
  if ((await listed(eureka, orders.name)).length > 0) throw new Error("Eureka is not empty");
  await report.explain(step, { [living[0]]: "SERVED", [late]: unheardOf });
  for (const pod of registering) await pod.heartbeats("resume");
  const isBack = async () => isExactly(await listed(eureka, orders.name), living);
  await waitFor(isBack, { what: "Eureka to know the old pods again", deadlineMs: 20_000 });
  await calls.answered(afterwards);
  report.rows.push(rowOf("Signalbox", calls.answers, { step, began, pushed: began }));
  await report.explain(step, { [living[0]]: "SERVED" });
  return (await view.changes()) - changesBefore;
}

/** The requests go to the cluster's pods, more with each step, and then back at once. Each share is measured by so many. */
export async function migration(world: World, report: Report, requests: number): Promise<void> {
  const plan: readonly (readonly [string, Shares])[] = [
    ["d: 10 % to Kubernetes", { eureka: 90, kubernetes: 10 }],
    ["d: 50 % to Kubernetes", { eureka: 50, kubernetes: 50 }],
    ["d: 100 % to Kubernetes", { eureka: 0, kubernetes: 100 }],
    ["d: back to Eureka at once", onlyEureka],
  ];
  for (const [step, shares] of plan) {
    report.rows.push(await shared(world, requests, step, shares));
    const reason = (share: number) => (share > 0 ? "SERVED" : "WEIGHT_ZERO");
    await report.explain(step, {
      [living[0]]: reason(shares.eureka),
      [newPods[0]]: reason(shares.kubernetes),
      [late]: unheardOf,
    });
  }
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
  return (
    good.filter(({ text }) => addresses.some((address) => text === answerOf(orders.name, address))).length / good.length
  );
}

/** The cluster cannot be read for so long that it is not believed any more. A pod comes meanwhile, which only Eureka knows. */
export async function unreachableCluster(world: World, report: Report): Promise<void> {
  const { calls, cluster, daemon, kube, startPod, view } = world;
  const step = "e: Kubernetes cannot be read";
  const hasLeft = async () => (await reasonOf(daemon, doomed)) === departed;
  await waitFor(hasLeft, { what: "the dead pod to be forgotten", deadlineMs: 30_000 });
  const began = performance.now();
  await kube.kill();
  const isStale = async () => (await stateOf(world, "kubernetes/main")).state === "STALE";
  await waitFor(isStale, { what: "a stale cluster", deadlineMs: 30_000 });
  await startPod(orders.name, late, true);
  await view.until("the pod that only Eureka knows", (endpoints) => isExactly(endpoints.keys(), [...living, late]));
  await calls.answered(afterwards);
  const verdicts = await Promise.all([...living, late].map((address) => verdictOf(daemon, address)));
  if (verdicts.some((verdict) => verdict !== "UNVERIFIABLE")) throw new Error(`drift says ${verdicts.join(", ")}`);
  await report.explain(step, {
    [living[0]]: "SERVED",
    [late]: "SERVED",
    [doomed]: departed,
    [newPods[0]]: "WEIGHT_ZERO",
  });
  await kube.restart();
  await cluster.addPod(podOf(orders.name, late, "old"));
  await untilHealthy(world, "kubernetes/main");
  await calls.answered(afterwards);
  await view.until("all that live", (endpoints) => isExactly(endpoints.keys(), [...living, late]));
  report.rows.push(rowOf("Signalbox", calls.answers, { step, began, pushed: began }));
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
