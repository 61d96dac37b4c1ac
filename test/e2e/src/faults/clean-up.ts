/** Ends what a test started, the last one first, also where only a part of it came to be. */
export class CleanUp {
  readonly #stops: (() => Promise<unknown>)[] = [];

  /** Something to do in the end. */
  add(stop: () => Promise<unknown>): void {
    this.#stops.push(stop);
  }

  /** Something to stop in the end. */
  keep<T extends { stop: () => Promise<unknown> }>(server: T): T {
    this.add(() => server.stop());
    return server;
  }

  /** Does all of it. Rejects with what went wrong first, after the rest is done. */
  async run(): Promise<void> {
    const results: PromiseSettledResult<unknown>[] = [];
    for (const stop of this.#stops.splice(0).reverse()) results.push(...(await Promise.allSettled([stop()])));
    for (const result of results) if (result.status === "rejected") throw result.reason;
  }
}
