import fc from "fast-check";
import type { Catalog, CatalogDelta, Revision } from "@signalbox/model";
import { expect, it } from "vitest";
import { comparable, deltaOf } from "../conformance/content.ts";
import type { Statement } from "../conformance/content.ts";
import { MemoryEngine, MemoryServer } from "../conformance/memory-engine.ts";
import { isEmptyDelta } from "../delta.ts";
import { CatalogFold } from "../fold.ts";
import { Hub } from "../hub.ts";
import { HandClock, settled } from "../testing/hand-clock.ts";
import { LogGoneError } from "./engine.ts";
import type { Claim, Frame } from "./engine.ts";
import { LogFollower } from "./follower.ts";
import { toFrames } from "./frames.ts";
import { changeMessages, encodeMessage, snapshotParts } from "./messages.ts";
import { epochOf } from "./writer.ts";

/** What a writer does next: changes something, or goes on with the snapshot that it writes, or says what nobody knows. */
type Step = { readonly say: readonly Statement[] } | "snapshot" | "unknown";
/** What happens to a reader once, when it comes to a frame. */
interface Fault {
  readonly at: number;
  readonly kind: "missing" | "twice" | "cut" | "gone";
}

const statement: fc.Arbitrary<Statement> = fc.record({
  kind: fc.constantFrom("entries", "workloads", "objects"),
  name: fc.constantFrom("a", "b", "c", "d"),
  generation: fc.oneof({ weight: 3, arbitrary: fc.nat(9) }, { weight: 1, arbitrary: fc.constant("gone" as const) }),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ say: fc.array(statement, { minLength: 1, maxLength: 4 }) }) },
  { weight: 8, arbitrary: fc.constant("snapshot" as const) },
  { weight: 1, arbitrary: fc.constant("unknown" as const) },
);
const fault: fc.Arbitrary<Fault> = fc.record({
  at: fc.nat(),
  kind: fc.constantFrom("missing", "twice", "cut", "gone"),
});
const claim: Claim = { number: 1, nonce: "n" };

/** A log as a writer leaves it, with all that it ever meant. */
class Story {
  readonly frames: Uint8Array[] = [];
  /** Positions at which complete snapshots begin. */
  readonly begins: number[] = [];
  readonly worlds = new Map<number, unknown>();
  readonly #fold = new CatalogFold();
  readonly #frameBytes: number;
  #sequence = 0;
  #snapshot: Generator<string> | undefined;

  constructor(frameBytes: number) {
    this.#frameBytes = frameBytes;
    this.worlds.set(0, comparable(this.#fold));
  }

  get sequence(): number {
    return this.#sequence;
  }

  async tell(steps: readonly Step[]): Promise<void> {
    for (const step of steps) {
      if (step === "unknown") await this.#write('{"v":1,"type":"mark","of":"a later release"}');
      else if (step === "snapshot") await this.#goOn();
      else await this.#change(deltaOf(step.say));
    }
  }

  async finish(): Promise<void> {
    do await this.#goOn();
    while (this.#snapshot !== undefined);
  }

  async #change(delta: CatalogDelta): Promise<void> {
    if (isEmptyDelta(delta)) return;
    this.#sequence++;
    for (const message of changeMessages(this.#sequence, delta)) await this.#write(encodeMessage(message));
    this.#fold.apply(delta);
    this.worlds.set(this.#sequence, comparable(this.#fold));
  }

  async #goOn(): Promise<void> {
    this.#snapshot ??= this.#parts();
    const next = this.#snapshot.next();
    if (next.done === true) this.#snapshot = undefined;
    else await this.#write(next.value);
  }

  *#parts(): Generator<string> {
    const content = this.#fold.catalog({ epoch: "e", sequence: this.#sequence });
    const begin = this.frames.length + 1;
    yield encodeMessage({ type: "begin", sequence: this.#sequence });
    yield* snapshotParts(content, 1);
    const keys = content.entries.size + content.workloads.size + content.objects.size;
    yield encodeMessage({ type: "end", begin, keys });
    this.begins.push(begin);
  }

  async #write(message: string): Promise<void> {
    this.frames.push(...(await toFrames(message, this.#frameBytes)));
  }
}

/** An engine with one log, whose readers meet faults. */
class StoryEngine extends MemoryEngine {
  readonly #faults: Fault[];
  readonly #batch: number;

  constructor(server: MemoryServer, faults: readonly Fault[], batch: number) {
    super(server);
    this.#faults = [...faults];
    this.#batch = batch;
  }

  override async *read(claim: Claim, from: number, signal: AbortSignal): AsyncGenerator<readonly Frame[]> {
    for await (const frames of super.read(claim, from, signal)) {
      for (let at = 0; at < frames.length; at += this.#batch) {
        const batch = frames.slice(at, at + this.#batch).flatMap((frame) => this.#meet(frame));
        if (batch.length > 0) yield batch;
      }
    }
  }

  #meet(frame: Frame): readonly Frame[] {
    const index = this.#faults.findIndex(({ at }) => at === frame.position);
    const [fault] = index < 0 ? [] : this.#faults.splice(index, 1);
    switch (fault?.kind) {
      case undefined:
        return [frame];
      case "missing":
        return [];
      case "twice":
        return [frame, frame];
      case "cut":
        throw new Error("the connection was cut");
      case "gone":
        throw new LogGoneError("the log is gone");
    }
  }
}

/** A hub that checks all that it is told against what the writer had. */
class CheckedHub extends Hub {
  readonly #story: Story;
  #fold = new CatalogFold();

  constructor(story: Story) {
    super(10);
    this.#story = story;
  }

  override begin(revision: Revision, content: Omit<Catalog, "revision">): void {
    expect(revision.sequence).toBeGreaterThanOrEqual(this.revision?.sequence ?? 0);
    this.#fold = new CatalogFold(content);
    super.begin(revision, content);
    this.#check();
  }

  override advance(revision: Revision, delta: CatalogDelta): void {
    expect(revision.sequence).toBe((this.revision?.sequence ?? Number.NaN) + 1);
    this.#fold.apply(delta);
    super.advance(revision, delta);
    this.#check();
  }

  #check(): void {
    expect(comparable(this.#fold)).toEqual(this.#story.worlds.get(this.revision?.sequence ?? -1));
  }
}

it("a follower shows only what the writer had, never goes back, and comes to the end, whatever happens on the way", async () => {
  let restarts = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.record({
        before: fc.array(step, { maxLength: 15 }),
        after: fc.array(step, { maxLength: 25 }),
        late: fc.array(step, { maxLength: 10 }),
        begin: fc.nat(),
        cut: fc.nat(200),
        frameBytes: fc.integer({ min: 40, max: 1500 }),
        batch: fc.integer({ min: 1, max: 60 }),
        faults: fc.array(fault, { maxLength: 6 }),
      }),
      async ({ before, after, late, begin, cut, frameBytes, batch, faults }) => {
        const story = new Story(frameBytes);
        await story.tell(before);
        await story.finish();
        await story.tell(after);
        const start = story.begins[begin % story.begins.length] ?? 1;
        // Where the log ends when reading begins: anywhere behind the snapshot's beginning, also within a message.
        const known = Math.min(story.frames.length, start + cut);
        await story.tell(late);

        const clock = new HandClock();
        const server = new MemoryServer(clock);
        const log = { claim, first: 1, frames: story.frames.slice(0, known) };
        server.logs.set(claim.nonce, log);
        server.head = { claim, begin: start };
        // Not the last one: that a frame is missing shows with the next.
        const within = story.frames.length - start;
        const engine = new StoryEngine(
          server,
          faults.map(({ at, kind }) => ({ at: start + (at % within), kind })),
          batch,
        );
        const hub = new CheckedHub(story);
        const end = new AbortController();
        const follower = new LogFollower({ engine, hub, clock, onState: (_, error) => (restarts += error ? 1 : 0) });
        const run = follower.run(end.signal);
        await settled(4);
        log.frames.push(...story.frames.slice(known));
        server.wake();
        const last = { epoch: epochOf(claim), sequence: story.sequence };
        for (let round = 0; round < 200 && hub.revision?.sequence !== last.sequence; round++) await clock.advance(500);
        expect(hub.revision).toEqual(last);
        end.abort();
        await run;
        expect([clock.sleeping, server.waiting]).toEqual([0, 0]);
      },
    ),
    { numRuns: 200 },
  );
  expect(restarts).toBeGreaterThan(100);
}, 60_000);
