import { randomUUID } from "node:crypto";
import { AckPolicy, DeliverPolicy } from "@nats-io/jetstream";
import type { Consumer, JsMsg } from "@nats-io/jetstream";
import { nanos } from "@nats-io/transport-node";
import { LogGoneError } from "../log/engine.ts";
import type { Frame } from "../log/engine.ts";
import { abortable } from "./abortable.ts";
import type { NatsConnector, Session } from "./connection.ts";
import { isNotFound } from "./errors.ts";
import type { StreamName } from "./names.ts";

/**
 * How frames are asked for: so many at a time, for so long; a server that says nothing for two heartbeats is given up. A
 * reader's place at the server is forgotten after `forgetMs` without a question. Milliseconds.
 */
const pull = { frames: 64, expiresMs: 5000, heartbeatMs: 1000, forgetMs: 10_000 } as const;

/**
 * Yields the frames of a log as they come. Any trouble ends it with an error: the library's own consumers would go on
 * somewhere else in silence, where the log lost something, or was lost.
 */
export async function* readFrames(
  connector: NatsConnector,
  log: StreamName,
  from: number,
  signal: AbortSignal,
): AsyncGenerator<readonly Frame[]> {
  const session = await connector.session(signal);
  const consumer = await abortable(consumerOf(session, log, from), signal, session.lost);
  const end = new AbortController();
  const arrivals = new Arrivals(AbortSignal.any([signal, session.lost, end.signal]));
  arrivals.pump(consumer);
  try {
    for (;;) yield await arrivals.take();
  } finally {
    end.abort();
  }
}

async function consumerOf({ manager, streams }: Session, { stream }: StreamName, from: number): Promise<Consumer> {
  try {
    const info = await manager.consumers.add(stream, {
      name: `reader-${randomUUID()}`,
      ack_policy: AckPolicy.None,
      deliver_policy: DeliverPolicy.StartSequence,
      opt_start_seq: from,
      mem_storage: true,
      num_replicas: 1,
      inactive_threshold: nanos(pull.forgetMs),
    });
    return streams.consumers.getConsumerFromInfo(info);
  } catch (error) {
    if (isNotFound(error)) throw new LogGoneError("there is no such log", { cause: error });
    throw error;
  }
}

/** Frames between the server and the reader. The server is asked for more only when all were taken. */
class Arrivals {
  readonly #signal: AbortSignal;
  #frames: Frame[] = [];
  #failure: unknown;
  #ended = false;
  #wake: (() => void) | undefined;
  #taken: (() => void) | undefined;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
  }

  /** Asks the server again and again until the signal aborts or it fails. */
  pump(consumer: Consumer): void {
    this.#run(consumer).catch((error: unknown) => {
      this.#failure = error;
      this.#ended = true;
      this.#wake?.();
    });
  }

  /** The frames that came since the last call, at least one. Rejects when no more can come. */
  async take(): Promise<readonly Frame[]> {
    while (this.#frames.length === 0) {
      this.#signal.throwIfAborted();
      if (this.#ended) throw this.#failure;
      await abortable(new Promise<void>((resolve) => (this.#wake = resolve)), this.#signal);
    }
    const frames = this.#frames;
    this.#frames = [];
    this.#taken?.();
    return frames;
  }

  async #run(consumer: Consumer): Promise<void> {
    while (!this.#signal.aborted) {
      const messages = await consumer.fetch({
        max_messages: pull.frames,
        expires: pull.expiresMs,
        idle_heartbeat: pull.heartbeatMs,
      });
      const stop = (): void => {
        void messages.close();
      };
      this.#signal.addEventListener("abort", stop, { once: true });
      try {
        for await (const message of messages) this.#add(message);
      } finally {
        this.#signal.removeEventListener("abort", stop);
      }
      if (this.#frames.length > 0)
        await abortable(new Promise<void>((resolve) => (this.#taken = resolve)), this.#signal);
    }
  }

  #add({ data, seq }: JsMsg): void {
    this.#frames.push({ position: seq, bytes: data });
    this.#wake?.();
  }
}
