import { setTimeout as delay } from "node:timers/promises";
import { waitFor } from "@signalbox/test-servers";
import type { EngineUnderTest } from "./engine-under-test.ts";
import { FaultWorld } from "./fault-world.ts";
import { sequenceOf, trafficOf } from "./steps.ts";
import type { Step } from "./steps.ts";

/** What came of one sequence. */
export interface FaultResult {
  readonly seed: number;
  readonly steps: number;
  /** In how many epochs somebody led. */
  readonly epochs: number;
  /** How many catalogs the publishers showed. */
  readonly shown: number;
  /** Milliseconds from the end of all faults until every publisher had the exact catalog. */
  readonly healMs: number;
  /** What happened, line by line. */
  readonly log: readonly string[];
}

/** Thrown when a sequence went wrong; the message says how to play it again. */
export class FaultSequenceError extends Error {
  readonly seed: number;

  constructor(engine: string, seed: number, what: string, log: readonly string[], options?: ErrorOptions) {
    const again = `npm run faults -- --engine ${engine} --seed ${seed}`;
    super(`seed ${seed}: ${what}\nplay it again: ${again}\n${log.slice(-200).join("\n")}`, options);
    this.name = "FaultSequenceError";
    this.seed = seed;
  }
}

/** How long the processes may take to agree after the last fault is over, in milliseconds. */
const healWithinMs = 20_000;

/**
 * Plays the sequence of a seed on an engine that was started for it, and stops the engine. Rejects with a FaultSequenceError
 * when a publisher shows what no writer published, misses something, loses a service that nobody removed, or does not have
 * the exact catalog in time after everything was healed.
 */
export async function playFaults(start: () => Promise<EngineUnderTest>, seed: number): Promise<FaultResult> {
  const engine = await start();
  const world = await FaultWorld.open(engine);
  const { busy, quiet, steps } = sequenceOf(seed);
  const end = new AbortController();
  const traffic = busy ? keepChanging(world, seed, end.signal) : Promise.resolve();
  try {
    for (const step of steps) await take(world, step);
    end.abort();
    await traffic;
    world.note("all faults end");
    const healed = performance.now();
    await world.heal();
    await agreed(world);
    const healMs = Math.round(performance.now() - healed);
    for (const step of quiet) await take(world, step);
    await agreed(world);
    // Nobody only looks as if it followed.
    await world.do({ type: "change", changes: [{ service: 0, endpoints: 1 }] });
    await agreed(world);
    return { seed, steps: steps.length, epochs: world.epochs, shown: world.shown, healMs, log: world.log };
  } catch (error) {
    throw new FaultSequenceError(engine.name, seed, error instanceof Error ? error.message : String(error), world.log, {
      cause: error,
    });
  } finally {
    end.abort();
    await traffic;
    await world.close();
    await engine.stop();
  }
}

async function take(world: FaultWorld, step: Step): Promise<void> {
  world.note(JSON.stringify(step));
  if (step.type === "wait") await delay(step.ms);
  else await world.do(step);
  world.throwIfFaulty();
}

/** Changes something every few milliseconds. */
async function keepChanging(world: FaultWorld, seed: number, signal: AbortSignal): Promise<void> {
  for (const changes of trafficOf(seed)) {
    if (signal.aborted) return;
    await world.do({ type: "change", changes });
    await delay(15, undefined, { signal }).catch(() => undefined);
  }
}

async function agreed(world: FaultWorld): Promise<void> {
  const asked = (): true | undefined => {
    world.throwIfFaulty();
    return world.disagreement() === undefined ? true : undefined;
  };
  try {
    await waitFor(asked, { what: "all publishers to have the exact catalog", deadlineMs: healWithinMs });
  } catch (error) {
    world.throwIfFaulty();
    throw new Error(`not healed after ${healWithinMs} ms: ${world.disagreement() ?? "agreed too late"}`, {
      cause: error,
    });
  }
}
