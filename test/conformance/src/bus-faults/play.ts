import { setTimeout as delay } from "node:timers/promises";
import { waitFor } from "@signalbox/test-servers";
import type { EngineUnderTest } from "./engine-under-test.ts";
import { FaultWorld } from "./fault-world.ts";
import { stepsOf } from "./steps.ts";

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
  const steps = stepsOf(seed);
  try {
    for (const step of steps) {
      world.note(JSON.stringify(step));
      if (step.type === "wait") await delay(step.ms);
      else await world.do(step);
      world.throwIfFaulty();
    }
    world.note("all faults end");
    const healed = performance.now();
    await world.heal();
    await agreed(world);
    const healMs = Math.round(performance.now() - healed);
    // Nobody only looks as if it followed.
    await world.do({ type: "change", changes: [{ service: 0, endpoints: 1 }] });
    await agreed(world);
    return { seed, steps: steps.length, epochs: world.epochs, shown: world.shown, healMs, log: world.log };
  } catch (error) {
    throw new FaultSequenceError(engine.name, seed, error instanceof Error ? error.message : String(error), world.log, {
      cause: error,
    });
  } finally {
    await world.close();
    await engine.stop();
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
