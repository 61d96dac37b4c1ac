/** Departures of addresses that no checked registry lists, remembered for so long, and so many of them. */
const rememberForMs = 3_600_000;
const rememberedAtMost = 10_000;

/**
 * Which addresses had a workload and are not listed now, oldest first. Those that are listed are remembered as long as they are;
 * these only in case that a registry lists them late.
 */
export class UnlistedDepartures {
  readonly #since = new Map<string, number>();

  put(ip: string, now: number): void {
    this.#since.delete(ip);
    this.#since.set(ip, now);
  }

  delete(ip: string): void {
    this.#since.delete(ip);
  }

  /** Takes out what is too old or too much. */
  takeExpired(now: number): readonly string[] {
    const expired: string[] = [];
    for (const [ip, since] of this.#since) {
      if (now - since < rememberForMs && this.#since.size - expired.length <= rememberedAtMost) break;
      expired.push(ip);
    }
    for (const ip of expired) this.#since.delete(ip);
    return expired;
  }
}
