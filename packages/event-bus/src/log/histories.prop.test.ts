import fc from "fast-check";
import type { Catalog } from "@signalbox/model";
import { expect, it } from "vitest";
import { comparable, contentOf, deltaOf } from "../conformance/content.ts";
import type { Statement } from "../conformance/content.ts";
import { MemoryServer } from "../conformance/memory-engine.ts";
import type { EngineCall, EngineFault } from "../conformance/memory-engine.ts";
import { HandClock, settled } from "../testing/hand-clock.ts";
import { Following, Leading, Process } from "../testing/log-world.ts";

type Step =
  | { readonly type: "change"; readonly who: number; readonly statements: readonly Statement[] }
  | {
      readonly type: "fault";
      readonly calls: readonly EngineCall[];
      readonly kind: EngineFault;
      readonly chance: number;
    }
  | { readonly type: "well" | "wipe" | "depose" | "arrive" | "down" }
  | { readonly type: "lose"; readonly end: "beginning" | "tail"; readonly frames: number }
  | { readonly type: "pass" | "sleep"; readonly ms: number }
  | { readonly type: "kill" | "resubscribe"; readonly who: number };

const writers = 2;
const readers = 3;
const calls: readonly EngineCall[] = [
  ...(["maxFrameBytes", "acquire", "renew", "release", "claim", "append", "setHead", "trim"] as const),
  ...(["removeEarlier", "extent", "head", "moved", "read"] as const),
];
const statement: fc.Arbitrary<Statement> = fc.record({
  kind: fc.constantFrom("entries", "workloads", "objects"),
  name: fc.constantFrom("a", "b", "c", "d", "e"),
  generation: fc.oneof({ weight: 3, arbitrary: fc.nat(9) }, { weight: 1, arbitrary: fc.constant("gone" as const) }),
});
const who = fc.nat(5);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 10,
    arbitrary: fc.record({
      type: fc.constant("change" as const),
      who,
      statements: fc.array(statement, { minLength: 1, maxLength: 4 }),
    }),
  },
  {
    weight: 8,
    arbitrary: fc.record({ type: fc.constant("pass" as const), ms: fc.constantFrom(0, 10, 300, 1000, 5000) }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant("fault" as const),
      calls: fc.uniqueArray(fc.constantFrom(...calls), { minLength: 1, maxLength: 6 }),
      kind: fc.constantFrom("refused", "unanswered", "late", "hung"),
      chance: fc.constantFrom(0.2, 1),
    }),
  },
  { weight: 3, arbitrary: fc.record({ type: fc.constantFrom("well", "arrive", "depose", "wipe", "down") }) },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant("lose" as const),
      end: fc.constantFrom("beginning", "tail"),
      frames: fc.integer({ min: 1, max: 5 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("sleep" as const), ms: fc.constantFrom(500, 3500, 10_000) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constantFrom("kill", "resubscribe"), who }) },
);

/** All that may go wrong, and what consumers saw of it. */
class History {
  readonly #clock = new HandClock();
  readonly #server = new MemoryServer(this.#clock);
  readonly #started: Process[] = [];
  readonly #leading: { readonly process: Process; readonly engine: number; readonly lead: Leading }[] = [];
  readonly #following: Following[] = [];
  readonly #dead = new Set<number>();
  readonly #known = new Map<string, string>();
  readonly #begun = new Set<string>();
  readonly #random: () => number;
  readonly #compactAfterBytes: number;
  #fault: Extract<Step, { type: "fault" }> | undefined;
  /** How often a consumer had a catalog. */
  seen = 0;

  constructor(compactAfterBytes: number, seed: number) {
    this.#compactAfterBytes = compactAfterBytes;
    let state = seed;
    this.#random = () => {
      state = (state * 48271 + 11) % 2147483647;
      return state / 2147483647;
    };
    this.#server.fault = (call, engine) => {
      if (this.#dead.has(engine)) return "hung";
      return this.#fault?.calls.includes(call) === true && this.#random() < this.#fault.chance
        ? this.#fault.kind
        : undefined;
    };
  }

  async play(steps: readonly Step[]): Promise<void> {
    for (let writer = 0; writer < writers; writer++) this.#lead(contentOf("a"));
    for (let reader = 0; reader < readers; reader++) this.#follow();
    for (const step of steps) await this.#do(step);
    await this.#recover();
  }

  async close(): Promise<void> {
    for (const { stop } of this.#started) stop.abort();
    for (const { stop } of this.#following) stop.abort();
    await Promise.all(this.#started.map(({ bus }) => bus.close()));
    for (const { lead } of this.#leading) await lead.done;
    // A gap, or a catalog that nobody had, ends a consumer with an error.
    for (const { done } of this.#following) await done;
    expect([this.#clock.sleeping, this.#server.waiting]).toEqual([0, 0]);
  }

  /** Ten seconds after the last fault one leads, and every consumer has its catalog. */
  async #recover(): Promise<void> {
    this.#fault = undefined;
    this.#server.down = false;
    this.#server.arrive();
    await this.#clock.advance(10_000);
    const leaders = this.#leading.filter(({ engine, lead }) => !this.#dead.has(engine) && lead.writer !== undefined);
    expect(leaders).toHaveLength(1);
    const [leader] = leaders;
    for (const { catalog } of this.#following) {
      expect(catalog?.revision).toEqual(leader?.lead.revision);
      expect(catalog && comparable(catalog)).toEqual(leader && comparable(leader.lead.fold));
    }
  }

  async #do(step: Step): Promise<void> {
    const server = this.#server;
    switch (step.type) {
      case "change":
        void this.#leading[step.who % this.#leading.length]?.lead.change(deltaOf(step.statements));
        return settled(Math.floor(this.#random() * 5));
      case "fault":
        this.#fault = step;
        return;
      case "well":
        this.#fault = undefined;
        return;
      case "wipe": {
        server.wipe();
        return;
      }
      case "depose": {
        server.depose();
        return;
      }
      case "arrive":
        server.arrive();
        return;
      case "down":
        server.down = !server.down;
        return;
      case "lose":
        if (step.end === "tail") server.loseTail(step.frames);
        else server.loseBeginning(step.frames);
        return;
      case "pass":
        return this.#clock.advance(step.ms);
      case "sleep": {
        this.#clock.jump(step.ms);
        return;
      }
      case "kill": {
        this.#kill(step.who % this.#leading.length);
        return;
      }
      case "resubscribe":
        return this.#resubscribe(step.who % readers);
    }
  }

  /** Whatever a dead process still wants to do has no answer; another one begins where it ended. */
  #kill(index: number): void {
    const dead = this.#leading[index];
    if (dead === undefined || this.#dead.has(dead.engine)) return;
    this.#dead.add(dead.engine);
    this.#lead(dead.lead.fold);
  }

  async #resubscribe(index: number): Promise<void> {
    const old = this.#following[index];
    old?.stop.abort();
    await old?.done;
    this.#following[index] = this.#follower(this.#started[writers + index]);
  }

  #lead(content: Omit<Catalog, "revision">): void {
    const engine = this.#server.engines;
    const process = this.#process();
    const lead = new Leading(process, this.#clock, content, (content, revision) => {
      if (revision === undefined) this.#begun.add(JSON.stringify(comparable(content)));
      else this.#known.set(`${revision.epoch}/${revision.sequence}`, JSON.stringify(comparable(content)));
    });
    this.#leading.push({ process, engine, lead });
  }

  #follow(): void {
    this.#following.push(this.#follower(this.#process()));
  }

  #follower(process: Process | undefined): Following {
    if (process === undefined) throw new RangeError("no such process");
    let before = { epoch: 0, sequence: 0 };
    const following = new Following(process, (catalog) => {
      this.seen++;
      const { epoch, sequence } = catalog.revision;
      const now = { epoch: Number.parseInt(epoch), sequence };
      // Nobody goes back in time.
      expect(now.epoch).toBeGreaterThanOrEqual(before.epoch);
      if (now.epoch === before.epoch) expect(now.sequence).toBeGreaterThanOrEqual(before.sequence);
      before = now;
      const text = JSON.stringify(comparable(catalog));
      const known = this.#known.get(`${epoch}/${sequence}`);
      // An epoch may be seen before its writer knows its name.
      if (known !== undefined || sequence > 0) expect(text).toBe(known);
      else expect(this.#begun.has(text)).toBe(true);
    });
    following.done.catch(() => undefined);
    return following;
  }

  #process(): Process {
    const limits = { compactAfterBytes: this.#compactAfterBytes, partBytes: 1000 };
    const process = new Process(this.#server, this.#clock, { limits, slack: 3 });
    this.#started.push(process);
    return process;
  }
}

it("whatever engine, network and processes do: no consumer ever has a wrong catalog, and soon after all have the exact one", async () => {
  let seen = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 50 }),
      fc.constantFrom(0, 5000, 1_000_000),
      fc.nat(),
      async (steps, compactAfterBytes, seed) => {
        const history = new History(compactAfterBytes, seed);
        try {
          await history.play(steps);
        } finally {
          await history.close();
        }
        seen += history.seen;
      },
    ),
    { numRuns: 200 },
  );
  expect(seen).toBeGreaterThan(300);
}, 120_000);
