/** Silences that are remembered: they get shorter from the first to the last, so that few are enough. */
const maxSilences = 50;

/** How well one server could be heard lately, and so, how well its clients could reach it. Milliseconds of one clock. */
export class Hearing {
  #since: number | undefined;
  #last: number | undefined;
  /** Longest first; each one is the longest since it ended. */
  #silences: { readonly at: number; readonly ms: number }[] = [];

  /** A read failed: what the server missed meanwhile is not known. */
  failed(): void {
    this.#since = undefined;
    this.#last = undefined;
    this.#silences = [];
  }

  /** A read was good. A long one, or a long pause before it, may hide that the server did not hear anybody. */
  heard(start: number, end: number): void {
    this.#since ??= end;
    // A client tries three times within its lease, so that a read may be slow for a third of it.
    const ms = Math.max(3 * (end - start), end - (this.#last ?? end));
    while ((this.#silences.at(-1)?.ms ?? Infinity) <= ms) this.#silences.pop();
    this.#silences.push({ at: end, ms });
    // What is not remembered any more is as if it had not been heard.
    if (this.#silences.length > maxSilences) this.#since = this.#silences.shift()?.at ?? end;
    this.#last = end;
  }

  /** Whether the server could be heard without a break from `leaseMs` before `at` until now: every client could have renewed its lease. */
  wasClear(leaseMs: number, at: number): boolean {
    const from = at - leaseMs;
    if (this.#since === undefined || this.#since > from) return false;
    return this.#silences.every((silence) => silence.at < from || silence.ms <= leaseMs);
  }
}
