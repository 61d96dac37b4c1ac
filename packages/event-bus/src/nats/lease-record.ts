import type { NatsConnector, Session } from "./connection.ts";
import { isConflict, isNotFound } from "./errors.ts";
import type { StreamName } from "./names.ts";
import { ensureStream, readRecord, recordStream, replaceRecord } from "./streams.ts";

/** The lease as a message that the server forgets when its time is over: the message's text is who has it. */
export class LeaseRecord {
  readonly #connector: NatsConnector;
  readonly #name: StreamName;
  readonly #replicas: 1 | 3;

  constructor(connector: NatsConnector, name: StreamName, replicas: 1 | 3) {
    this.#connector = connector;
    this.#name = name;
    this.#replicas = replicas;
  }

  async acquire(holder: string, ttlMs: number, signal: AbortSignal): Promise<boolean> {
    return this.#connector.use(signal, async (session) => {
      const stored = await readRecord(session, this.#name);
      if (stored !== undefined && stored.text !== holder) return false;
      await ensureStream(session, recordStream(this.#name, this.#replicas, ttlMs));
      // Nobody would give back what comes too late.
      signal.throwIfAborted();
      return this.#write(session, holder, stored?.sequence ?? 0);
    });
  }

  async renew(holder: string, signal: AbortSignal): Promise<boolean> {
    return this.#connector.use(signal, async (session) => {
      const stored = await readRecord(session, this.#name);
      return stored?.text === holder && this.#write(session, holder, stored.sequence);
    });
  }

  async release(holder: string, signal: AbortSignal): Promise<void> {
    await this.#connector.use(signal, async (session) => {
      const stored = await readRecord(session, this.#name);
      if (stored?.text !== holder) return;
      try {
        await session.manager.streams.deleteMessage(this.#name.stream, stored.sequence, false);
      } catch (error) {
        // Its time was over in between.
        if (!isNotFound(error)) throw error;
      }
    });
  }

  async #write(session: Session, holder: string, sequence: number): Promise<boolean> {
    try {
      await replaceRecord(session, this.#name, holder, sequence);
      return true;
    } catch (error) {
      if (isConflict(error)) return false;
      throw error;
    }
  }
}
