import { request } from "node:http";
import type { RunningEureka } from "@signalbox/test-servers";
import { register, type RestInstance } from "./eureka-world.ts";

/** How one heartbeat went. */
export type Beat = "renewed" | "registered" | "unanswered";

/** A client as applications have one: it renews its lease, gives up on a server that does not answer, and registers again with one that does not know it. */
export class Heartbeat {
  readonly #server: Pick<RunningEureka, "request" | "url">;
  readonly #instance: RestInstance;
  /** How often it was given up in a row. */
  unanswered = 0;
  #beating: Promise<void> = Promise.resolve();
  #stop = new AbortController();

  private constructor(server: Pick<RunningEureka, "request" | "url">, instance: RestInstance) {
    this.#server = server;
    this.#instance = instance;
  }

  /** Registers, and renews the lease by the server's `url` so many milliseconds after each heartbeat until `pause`. */
  static async start(
    server: Pick<RunningEureka, "request" | "url">,
    instance: RestInstance,
    everyMs: number,
  ): Promise<Heartbeat> {
    const heartbeat = new Heartbeat(server, instance);
    await register(server, instance);
    heartbeat.resume(everyMs);
    return heartbeat;
  }

  resume(everyMs: number): void {
    this.#stop = new AbortController();
    this.#beating = this.#beat(everyMs, this.#stop.signal);
  }

  /** Ends the heartbeats; resolves when none is under way. */
  async pause(): Promise<void> {
    this.#stop.abort();
    await this.#beating;
  }

  /** One heartbeat. */
  async once(): Promise<Beat> {
    const status = await this.#renew();
    this.unanswered = status === undefined ? this.unanswered + 1 : 0;
    if (status === undefined) return "unanswered";
    if (status !== 404) return "renewed";
    await register(this.#server, this.#instance);
    return "registered";
  }

  async #beat(everyMs: number, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await this.once();
      await new Promise<void>((resolve) => {
        const timer = setTimeout(end, everyMs);
        function end(): void {
          clearTimeout(timer);
          signal.removeEventListener("abort", end);
          resolve();
        }
        signal.addEventListener("abort", end);
      });
    }
  }

  /** The status of the answer; undefined where there is none within half a second. */
  #renew(): Promise<number | undefined> {
    const { app, id } = this.#instance;
    return new Promise((resolve) => {
      const sent = request(`${this.#server.url}/apps/${app.toUpperCase()}/${id}`, { method: "PUT", agent: false });
      const timer = setTimeout(() => sent.destroy(), 500);
      sent.on("response", (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      sent.on("error", () => resolve(undefined));
      sent.on("close", () => {
        clearTimeout(timer);
        resolve(undefined);
      });
      sent.end();
    });
  }
}
