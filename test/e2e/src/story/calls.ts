import { get, startTraffic, waitFor, type Answer, type Traffic } from "@signalbox/test-servers";
import { orders } from "./cast.ts";
import type { StepRow } from "./result.ts";

/** What a step is counted by. */
export interface Step {
  readonly step: string;
  /** When it began, and when its change was in force, as `performance.now()` says it. */
  readonly began: number;
  readonly pushed: number;
}

/** Counts the answers of one step by what became of them. All calls were for `orders`. */
export function rowOf(through: StepRow["through"], answers: readonly Answer[], { began, pushed, step }: Step): StepRow {
  const all = answers.filter((answer) => answer.at >= began);
  const failed = all.filter(({ status }) => status !== 200);
  return {
    step,
    through,
    sent: all.length,
    failedBefore: failed.filter((answer) => answer.began < pushed).length,
    failedAfter: failed.filter((answer) => answer.began >= pushed).length,
    misrouted: all.filter(({ status, text }) => status === 200 && !text.startsWith(`${orders.name} `)).length,
  };
}

/** Calls to `orders` through Envoy: some all the time, and on demand as many as the machine allows. */
export class Calls {
  readonly #port: number;
  readonly #steady: Traffic;

  constructor(proxyPort: number) {
    this.#port = proxyPort;
    this.#steady = startTraffic(proxyPort, orders.host, 4, 5);
  }

  /** The answers of the steady calls so far. */
  get answers(): readonly Answer[] {
    return this.#steady.answers;
  }

  /** Resolves when so many of the steady calls that began later were answered. */
  answered(count: number): Promise<unknown> {
    return counted(this.#steady, count);
  }

  /** Resolves once a call to this host gets this answer. */
  async reaches(host: string, answer: string): Promise<void> {
    const isReached = async () => (await get(this.#port, host)).text === answer;
    await waitFor(isReached, { what: `"${answer}" of ${host}` });
  }

  /** Makes so many calls at full speed, over several connections. Resolves with their answers. */
  async burst(count: number): Promise<readonly Answer[]> {
    const traffic = startTraffic(this.#port, orders.host, 12);
    try {
      await counted(traffic, count);
    } finally {
      await traffic.stop();
    }
    return traffic.answers;
  }

  async stop(): Promise<void> {
    await this.#steady.stop();
  }
}

async function counted(traffic: Traffic, count: number): Promise<void> {
  const since = performance.now();
  let left = count;
  await traffic.next(({ began }) => began >= since && --left <= 0, 120_000);
}
