import { LogFencedError } from "../log/engine.ts";
import type { Claim, LogHead } from "../log/engine.ts";
import type { NatsConnector, Session } from "./connection.ts";
import { isConflict } from "./errors.ts";
import type { StreamName } from "./names.ts";
import { readRecord, replaceRecord } from "./streams.ts";

/** The one record that decides who may write and where readers read. */
export interface ControlRecord {
  readonly claim: Claim;
  readonly head: LogHead | undefined;
}

/** A record and the sequence that the next one must name. */
interface Versioned {
  readonly record: ControlRecord | undefined;
  readonly sequence: number;
}

/** So many times somebody else may come first before we give up. */
const attempts = 10;

/** Reads and changes the control record: each change names the record that it follows, so of two only one succeeds. */
export class Control {
  readonly #connector: NatsConnector;
  readonly #name: StreamName;

  constructor(connector: NatsConnector, name: StreamName) {
    this.#connector = connector;
    this.#name = name;
  }

  /** The record as it is; undefined where there was never one, or the server lost it. */
  async read(signal: AbortSignal): Promise<ControlRecord | undefined> {
    return this.#connector.use(signal, async (session) => (await this.#versioned(session)).record);
  }

  /** Puts a claim in the place of the one that `previous` shows. Resolves with whether nobody else did so before. */
  async claim(session: Session, claim: Claim, previous: number, head: LogHead | undefined): Promise<boolean> {
    return this.#replace(session, { claim, head }, previous);
  }

  /** The record with its sequence, to be followed by a claim. */
  async latest(session: Session): Promise<Versioned> {
    return this.#versioned(session);
  }

  /** Sends readers elsewhere. Rejects with a LogFencedError where a later claim exists. */
  async setHead(head: LogHead, signal: AbortSignal): Promise<void> {
    await this.#connector.use(signal, async (session) => {
      for (let attempt = 0; attempt < attempts; attempt++) {
        const { record, sequence } = await this.#versioned(session);
        if (record?.claim.nonce !== head.claim.nonce) throw new LogFencedError("there is a later claim, or none");
        signal.throwIfAborted();
        if (await this.#replace(session, { claim: record.claim, head }, sequence)) return;
      }
      throw new Error("the control record changes all the time");
    });
  }

  async #replace(session: Session, record: ControlRecord, previous: number): Promise<boolean> {
    try {
      await replaceRecord(session, this.#name, JSON.stringify({ v: 1, ...record }), previous);
      return true;
    } catch (error) {
      if (isConflict(error)) return false;
      throw error;
    }
  }

  async #versioned(session: Session): Promise<Versioned> {
    const stored = await readRecord(session, this.#name);
    if (stored === undefined) return { record: undefined, sequence: 0 };
    return { record: recordFrom(stored.text, this.#name.stream), sequence: stored.sequence };
  }
}

function recordFrom(text: string, stream: string): ControlRecord {
  const { claim, head } = objectFrom(text) ?? {};
  if (!isClaim(claim) || (head !== undefined && !isHead(head)))
    throw new Error(`the last message in the stream ${stream} is no control record`);
  return { claim, head };
}

function objectFrom(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isHead(value: unknown): value is LogHead {
  return isObject(value) && isClaim(value["claim"]) && Number.isSafeInteger(value["begin"]);
}

function isClaim(value: unknown): value is Claim {
  return isObject(value) && Number.isSafeInteger(value["number"]) && typeof value["nonce"] === "string";
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}
