import type { Claim } from "../log/engine.ts";
import { NatsOptionsError } from "./options.ts";

/** A stream and its one subject. */
export interface StreamName {
  readonly stream: string;
  readonly subject: string;
}

/** What the streams of one catalog are called. */
export class CatalogNames {
  /** The latest claim, and where readers find the catalog. */
  readonly control: StreamName;
  readonly lease: StreamName;
  /** The subjects of all logs, as a pattern. */
  readonly logs: string;
  readonly #token: string;

  /** Throws a NatsOptionsError for a name that is no name. */
  constructor(catalog: string) {
    if (catalog === "" || catalog.length > 64) throw new NatsOptionsError("catalog", "a name of 1 to 64 characters");
    this.#token = encodeName(catalog);
    const subject = `signalbox.${this.#token}`;
    this.control = { stream: `SIGNALBOX_${this.#token}_CONTROL`, subject: `${subject}.control` };
    this.lease = { stream: `SIGNALBOX_${this.#token}_LEASE`, subject: `${subject}.lease` };
    this.logs = `${subject}.log.*`;
  }

  /** The log of a claim: its name holds number and nonce, so no name is ever used twice, whatever a server loses. */
  log({ nonce, number }: Claim): StreamName {
    return {
      stream: `SIGNALBOX_${this.#token}_LOG_${number}_${nonce}`,
      subject: `signalbox.${this.#token}.log.${number}-${nonce}`,
    };
  }

  /** The claim that a log belongs to; undefined for the name of anything else. */
  claimOf(stream: string): Claim | undefined {
    const prefix = `SIGNALBOX_${this.#token}_LOG_`;
    if (!stream.startsWith(prefix)) return undefined;
    const [, number, nonce] = /^(\d+)_(.+)$/.exec(stream.slice(prefix.length)) ?? [];
    return number === undefined || nonce === undefined ? undefined : { number: Number(number), nonce };
  }
}

/** Names of streams and subjects take few characters: each other one becomes its code point between underscores. */
function encodeName(name: string): string {
  return name.replace(/[^A-Za-z0-9-]/gu, (character) => `_${(character.codePointAt(0) ?? 0).toString(16)}_`);
}
