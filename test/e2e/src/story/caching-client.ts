import { Agent } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { get, type Answer, type RunningEureka } from "@signalbox/test-servers";
import { port } from "./cast.ts";

/** What a client does without Signalbox. */
export interface CachingClientOptions {
  readonly eureka: RunningEureka;
  /** The application that it calls. */
  readonly app: string;
  /** Milliseconds between two reads of Eureka's list. */
  readonly refreshMs: number;
  /** How many calls are under way at once, and how many milliseconds each caller waits after an answer. */
  readonly callers: number;
  readonly pauseMs: number;
}

/**
 * A caller as Spring Cloud has it by default: it reads the list of instances from Eureka now and then, keeps the last one that it
 * could read, and calls those that are `UP`, one after another.
 */
export class CachingClient {
  /** What all calls came to. */
  readonly answers: Answer[] = [];
  readonly #options: CachingClientOptions;
  readonly #agent: Agent;
  readonly #end = new AbortController();
  #instances: readonly string[];
  #next = 0;
  readonly #working: Promise<unknown>;

  private constructor(options: CachingClientOptions, instances: readonly string[]) {
    this.#options = options;
    this.#instances = instances;
    this.#agent = new Agent({ keepAlive: true });
    const callers = Array.from({ length: options.callers }, () => this.#call());
    this.#working = Promise.all([this.#refresh(), ...callers]);
  }

  /** Resolves with the first list. */
  static async start(options: CachingClientOptions): Promise<CachingClient> {
    return new CachingClient(options, await listed(options.eureka, options.app));
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#working;
    this.#agent.destroy();
  }

  async #refresh(): Promise<void> {
    const { app, eureka, refreshMs } = this.#options;
    while (await this.#pause(refreshMs))
      // A list that cannot be read leaves the last one in force.
      this.#instances = await listed(eureka, app).catch(() => this.#instances);
  }

  async #call(): Promise<void> {
    do {
      const address = this.#instances[this.#next++ % Math.max(1, this.#instances.length)];
      const now = performance.now();
      this.answers.push(
        address === undefined
          ? { status: 0, text: "no instance", began: now, at: now }
          : await get(port, this.#options.app, this.#agent, "/", address),
      );
    } while (await this.#pause(this.#options.pauseMs));
  }

  /** Resolves with whether it goes on. */
  async #pause(ms: number): Promise<boolean> {
    await delay(ms, undefined, { signal: this.#end.signal }).catch(() => undefined);
    return !this.#end.signal.aborted;
  }
}

/** The addresses of an application that Eureka says are up. */
export async function listed(eureka: RunningEureka, app: string): Promise<readonly string[]> {
  const answer = await eureka.request(`/apps/${app.toUpperCase()}`);
  if (answer.status === 404) return [];
  if (answer.status !== 200) throw new Error(`Eureka answered ${answer.status}: ${answer.text}`);
  const { application } = answer.json() as {
    application: { instance: readonly { ipAddr: string; status: string }[] };
  };
  return application.instance.filter(({ status }) => status === "UP").map(({ ipAddr }) => ipAddr);
}
