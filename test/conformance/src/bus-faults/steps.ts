import { Random } from "./random.ts";

/** One change of the source that all writers read. */
export interface Change {
  /** Services below `permanentServices` are never removed. */
  readonly service: number;
  /** How many endpoints it has from now on; 0 removes it. */
  readonly endpoints: number;
}

/** How many services are never removed, and how many there are in all. */
export const permanentServices = 6;
export const allServices = 14;

/** How many publishers follow. */
export const publisherCount = 3;

/** Whose connection it is. */
export type LinkOwner = "leader" | "standby" | number;

/** One step of a sequence. */
export type Step =
  | { readonly type: "change"; readonly changes: readonly Change[] }
  | { readonly type: "wait"; readonly ms: number }
  /** The engine's server. What stops it is undone by `restart` and `thaw`. */
  | { readonly type: "engine"; readonly what: EngineFault }
  /** Between one process and the engine. A number is a publisher. `slow` takes so many milliseconds for each piece. */
  | { readonly type: "link"; readonly owner: LinkOwner; readonly what: "cut" | "block" | "slow"; readonly ms: number }
  | { readonly type: "links-up" }
  /** The leading process dies at once, or ends as it should; another one starts in its place and waits behind the standby. */
  | { readonly type: "writer"; readonly what: "kill" | "stop" }
  /** Time stands still for the leading process, which goes on writing: it is a zombie as soon as its lease is over. */
  | { readonly type: "zombie" }
  | { readonly type: "zombies-end" }
  | { readonly type: "publisher"; readonly index: number; readonly what: "kill" };

/** What can happen to the server. */
export type EngineFault = "kill" | "restart" | "freeze" | "thaw" | "wipe" | "delete-log" | "truncate-log";

/** What is played for one seed: the same each time, but for the timing of real processes. */
export interface Sequence {
  readonly steps: readonly Step[];
  /** Whether there are changes all the time, so that every fault meets a writer at work; else only those that are steps. */
  readonly busy: boolean;
  /** After all faults ended and all agreed: steps while nothing changes, after which all must agree again. */
  readonly quiet: readonly Step[];
}

/** The sequence of a seed. A fault that stops the server is undone by a later step, or when all faults end. */
export function sequenceOf(seed: number, length = 32): Sequence {
  const random = new Random(seed);
  const steps: Step[] = [];
  const busy = random.chance(0.6);
  let engine: "up" | "down" | "frozen" = "up";
  while (steps.length < length) {
    const step = stepFrom(random, engine);
    if (step.type === "engine") engine = stateAfter(step.what);
    steps.push(step);
    if (step.type === "zombie" && random.chance(0.6)) {
      // Long enough for another one to lead, and then both write.
      steps.push({ type: "wait", ms: random.whole(1000, 1600) }, { type: "zombies-end" });
    }
    // Some faults meet a writer that is busy, some a quiet one; some follow each other at once.
    if (random.chance(0.6)) steps.push({ type: "change", changes: changesFrom(random) });
    if (random.chance(0.7)) steps.push({ type: "wait", ms: waitFrom(random) });
  }
  return { steps, busy, quiet: quietDamage(random) };
}

/** Something is lost while nobody changes anything, and somebody new must get it all. */
function quietDamage(random: Random): readonly Step[] {
  const what = random.weighted<EngineFault>([
    [2, "delete-log"],
    [2, "truncate-log"],
    [1, "wipe"],
    [1, "restart"],
  ]);
  const publisher = { type: "publisher", index: random.whole(0, publisherCount - 1), what: "kill" } as const;
  return random.chance(0.5) ? [{ type: "engine", what }, publisher] : [publisher, { type: "engine", what }];
}

/** Changes without end, of the same kind as those of the steps. */
export function* trafficOf(seed: number): Generator<readonly Change[]> {
  const random = new Random(~seed);
  for (;;) yield changesFrom(random);
}

function stepFrom(random: Random, engine: "up" | "down" | "frozen"): Step {
  if (engine !== "up" && random.chance(0.5))
    return { type: "engine", what: engine === "frozen" && random.chance(0.8) ? "thaw" : "restart" };
  const whose = (): LinkOwner =>
    random.weighted<LinkOwner>([
      [3, "leader"],
      [1, "standby"],
      [3, random.whole(0, publisherCount - 1)],
    ]);
  return random.weighted<() => Step>([
    [6, () => ({ type: "change", changes: changesFrom(random) })],
    [engine === "up" ? 5 : 0, () => ({ type: "engine", what: engineFault(random) })],
    [
      4,
      () => ({
        type: "link",
        owner: whose(),
        what: random.weighted([
          [1, "cut"],
          [2, "block"],
        ]),
        ms: 0,
      }),
    ],
    [2, () => ({ type: "link", owner: whose(), what: "slow", ms: random.whole(5, 40) })],
    [3, () => ({ type: "links-up" })],
    [2, () => ({ type: "writer", what: random.chance(0.7) ? "kill" : "stop" })],
    [2, () => ({ type: "zombie" })],
    [1, () => ({ type: "zombies-end" })],
    [2, () => ({ type: "publisher", index: random.whole(0, publisherCount - 1), what: "kill" })],
  ])();
}

/** Often too short for anybody to notice; sometimes long enough for a lease to end. */
function waitFrom(random: Random): number {
  return random.weighted([
    [5, random.whole(0, 60)],
    [4, random.whole(100, 500)],
    [1, random.whole(1000, 2000)],
  ]);
}

function engineFault(random: Random): EngineFault {
  return random.weighted<EngineFault>([
    [3, "kill"],
    [2, "freeze"],
    [1, "restart"],
    [2, "wipe"],
    [2, "delete-log"],
    [2, "truncate-log"],
  ]);
}

function stateAfter(fault: EngineFault): "up" | "down" | "frozen" {
  if (fault === "kill") return "down";
  return fault === "freeze" ? "frozen" : "up";
}

function changesFrom(random: Random): readonly Change[] {
  // Often one, now and then a storm.
  const count = random.weighted([
    [4, 1],
    [2, random.whole(2, 5)],
    [1, random.whole(10, 30)],
  ]);
  return Array.from({ length: count }, () => {
    const service = random.whole(0, allServices - 1);
    const removed = service >= permanentServices && random.chance(0.3);
    // A service with many endpoints is compressed, and takes several frames where frames are small.
    const endpoints = random.weighted([
      [6, random.whole(1, 3)],
      [1, random.whole(100, 400)],
    ]);
    return { service, endpoints: removed ? 0 : endpoints };
  });
}
