import { randomUUID } from "node:crypto";
import type { Catalog } from "@signalbox/model";
import type { BusClock } from "../clock.ts";
import { tiedTo, unlessAborted } from "./aborting.ts";
import type { LogEngine } from "./engine.ts";
import { Lease } from "./lease.ts";
import type { LeaseTimes } from "./lease.ts";
import { LogWriter } from "./writer.ts";
import type { WriterLimits } from "./writer.ts";

/** What a leader works with. */
export interface LogLeaderOptions {
  readonly engine: LogEngine;
  readonly clock: BusClock;
  readonly times: LeaseTimes;
  readonly limits: WriterLimits;
  /** Told of each failure of the engine that is not the end of a lead, and of each answer. */
  readonly onTrouble: (error: unknown) => void;
  readonly onAnswer: () => void;
  /** Told when this process begins and ceases to lead. */
  readonly onLead: (epoch: string) => void;
  readonly onEnd: (epoch: string, reason: unknown) => void;
}

/** Takes the lead for one process: the lease, then a claim that fences all earlier writers, then the first snapshot. */
export class LogLeader {
  readonly #options: LogLeaderOptions;
  readonly #holder = randomUUID();
  #lease: Lease | undefined;
  #writer: LogWriter | undefined;
  /** One lead at a time is decided. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: LogLeaderOptions) {
    this.#options = options;
  }

  /** Whether this process leads, as far as it knows. */
  get leads(): boolean {
    return this.#writer?.leads ?? false;
  }

  /**
   * Waits for the lead and gives its writer, which ends when a signal aborts. Rejects at once when one aborts, and when the
   * first snapshot could not be written. A process that leads already gives the lease back first.
   */
  async lead(snapshot: () => Omit<Catalog, "revision">, ...signals: readonly AbortSignal[]): Promise<LogWriter> {
    const asked = tiedTo(...signals);
    const lead = this.#turn.then(() => this.#lead(snapshot, asked.signal));
    this.#turn = lead.then(
      (writer) => {
        if (writer.over.aborted) asked.end();
        else writer.over.addEventListener("abort", () => asked.end(), { once: true });
      },
      () => asked.end(),
    );
    return unlessAborted(lead, asked.signal);
  }

  /** Ends the lead, if there is one. Resolves when the lease was given back and nothing is written any more. */
  async resign(reason: Error): Promise<void> {
    await this.#lease?.release(reason);
    await this.#writer?.settled();
    this.#lease = undefined;
    this.#writer = undefined;
  }

  /** Waits until the attempts under way, whose signals have aborted, are over, and resigns. */
  async close(reason: Error): Promise<void> {
    await this.#turn;
    await this.resign(reason);
  }

  async #lead(snapshot: () => Omit<Catalog, "revision">, signal: AbortSignal): Promise<LogWriter> {
    signal.throwIfAborted();
    await this.resign(new Error("this process leads anew"));
    const { clock, engine, limits, onAnswer, onEnd, onLead, onTrouble, times } = this.#options;
    const lease = await Lease.acquire({ engine, holder: this.#holder, times, clock, onAnswer, onTrouble }, signal);
    this.#lease = lease;
    lease.keep(async (over) => this.#writer?.fault(over));
    const end = (): void => lease.end(new Error("this process was asked to stop leading"));
    signal.addEventListener("abort", end, { once: true });
    if (signal.aborted) end();
    try {
      // Who slept since the engine gave the lease must not fence the writer that leads now.
      lease.assert();
      const claim = await engine.claim(lease.over);
      const maxFrameBytes = await engine.maxFrameBytes(lease.over);
      const writer = new LogWriter({ engine, lease, claim, limits, maxFrameBytes, content: snapshot() });
      await writer.begin();
      lease.assert();
      this.#writer = writer;
      onLead(writer.epoch);
      lease.over.addEventListener("abort", () => onEnd(writer.epoch, lease.over.reason), { once: true });
      return writer;
    } catch (error) {
      await this.resign(error instanceof Error ? error : new Error("leading failed", { cause: error }));
      throw error;
    }
  }
}
