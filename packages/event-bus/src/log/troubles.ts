import type { BusClock } from "../clock.ts";

/** Milliseconds: how often a part of a bus says what is wrong at most, and how often it says the same thing. */
const everyMs = { other: 10_000, same: 600_000 } as const;

interface Trouble {
  message: string | undefined;
  said: string | undefined;
  saidAt: number;
}

/**
 * What is wrong with an engine, as each part of a bus finds it. Each trouble is said when it comes, but an engine that fails
 * for hours, or now and then, does not fill the log.
 */
export class Troubles {
  readonly #clock: BusClock;
  readonly #say: (message: string) => void;
  readonly #parts = new Map<string, Trouble>();

  constructor(clock: BusClock, say: (message: string) => void) {
    this.#clock = clock;
    this.#say = say;
  }

  /** What is wrong now; undefined while all is well. */
  get current(): string | undefined {
    for (const { message } of this.#parts.values()) if (message !== undefined) return message;
    return undefined;
  }

  /** Notes a failure. */
  note(part: string, message: string): void {
    const trouble = this.#parts.get(part) ?? { message, said: undefined, saidAt: Number.NEGATIVE_INFINITY };
    this.#parts.set(part, trouble);
    trouble.message = message;
    const now = this.#clock.now();
    if (now - trouble.saidAt < (trouble.said === message ? everyMs.same : everyMs.other)) return;
    trouble.said = message;
    trouble.saidAt = now;
    this.#say(message);
  }

  /** Notes that a part does what it should. */
  over(part: string): void {
    const trouble = this.#parts.get(part);
    if (trouble !== undefined) trouble.message = undefined;
  }
}
