import type { ResourceView } from "@signalbox/xds-server";
import type { ChangeEvent } from "@signalbox/event-bus";
import { atOnce, type Steps } from "@signalbox/slices";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ProxyNode } from "./node.ts";
import { catalogOf } from "./testing/catalog.ts";
import { contents, nodes, step, World } from "./testing/rules-world.ts";
import { createTranslator, type TranslationChanges, type Translator } from "./translator.ts";

/** What happens between two steps of an event. */
const between = fc.oneof(
  { weight: 4, arbitrary: fc.record({ type: fc.constant("prepare" as const), node: fc.nat(20), vhds: fc.boolean() }) },
  { weight: 12, arbitrary: fc.record({ type: fc.constant("go on" as const), which: fc.nat(3), steps: fc.nat(8) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("give up" as const), which: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("leave" as const), which: fc.nat(20) }) },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("read" as const), which: fc.nat(20) }) },
);
type Between = typeof between extends fc.Arbitrary<infer T> ? T : never;

const all: readonly ProxyNode[] = Object.values(nodes);

/** Clients that come, wait, read and leave while events are taken in. */
class Clients {
  readonly #translator: Translator;
  /** One that was told the same, without steps, and is an event behind while this one takes one in. */
  readonly #plain: Translator;
  readonly #preparing: Steps<undefined>[] = [];
  readonly #held: { readonly node: ProxyNode; readonly vhds: boolean; readonly view: ResourceView }[] = [];

  constructor(translator: Translator, plain: Translator) {
    this.#translator = translator;
    this.#plain = plain;
  }

  do(one: Between): void {
    if (one.type === "prepare") {
      const steps = this.#translator.preparingView(all[one.node % all.length] as ProxyNode, false, one.vhds)?.steps;
      if (steps !== undefined) this.#preparing.push(steps);
    } else if (one.type === "go on") {
      const steps = this.#preparing[one.which % Math.max(1, this.#preparing.length)];
      for (let count = 0; count < one.steps; count++) steps?.next();
    } else if (one.type === "give up") {
      for (const steps of this.#preparing.splice(one.which, 1)) steps.return(undefined);
    } else if (one.type === "leave") {
      for (const { view } of this.#held.splice(one.which, 1)) this.#translator.forget(view);
    } else if (this.#held.length > 0) {
      const held = this.#held[one.which % this.#held.length];
      if (held !== undefined)
        expect(contents(held.view)).toEqual(contents(this.#plain.view(held.node, false, held.vhds)));
    }
  }

  /** What every other one sees that has a view. The rest may never have read theirs. */
  contents(): ReadonlyMap<ResourceView, unknown> {
    return new Map(this.#held.filter((_, index) => index % 2 === 0).map(({ view }) => [view, contents(view)]));
  }

  /** These take the views that are theirs now; what was made ahead for others is kept. */
  take(nodes: readonly ProxyNode[]): void {
    for (const steps of this.#preparing.splice(0)) atOnce(steps);
    for (const { view } of this.#held.splice(0)) this.#translator.forget(view);
    for (const node of nodes) {
      for (const vhds of [false, true]) this.#held.push({ node, vhds, view: this.#translator.view(node, false, vhds) });
    }
  }

  /** Those whose view is still that of their node see what they must. */
  mustSeeAll(): void {
    for (const { node, vhds, view } of this.#held) {
      if (this.#translator.view(node, false, vhds) === view)
        expect(contents(view)).toEqual(contents(this.#plain.view(node, false, vhds)));
    }
  }
}

/** Takes an event in, with something between its steps. Nobody may see anything of it before it is done. */
function applied(translator: Translator, event: ChangeEvent, clients: Clients, moments: readonly Between[]) {
  const steps = translator.applying(event, atOnce(translator.preparing(event)));
  const before = clients.contents();
  const queue = [...moments];
  for (;;) {
    const next = steps.next();
    if (next.done === true) return next.value;
    const moment = queue.shift();
    if (moment === undefined) continue;
    clients.do(moment);
    for (const [view, now] of clients.contents()) if (before.has(view)) expect(now).toEqual(before.get(view));
  }
}

function namesOf({ faults }: TranslationChanges): readonly string[] {
  return faults.map(({ subject }) => subject).sort();
}

describe("an event that is taken in by steps", () => {
  it("shows nothing before it is done, and then what it would have shown at once", { timeout: 120_000 }, () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(step, fc.array(between, { maxLength: 60 })), { minLength: 1, maxLength: 4 }),
        fc.subarray([...all], { maxLength: 4 }),
        (events, early) => {
          const [stepped, plain] = [createTranslator(), createTranslator()];
          for (const one of [stepped, plain]) one.apply({ v: 1, type: "snapshot", catalog: catalogOf([]) });
          const [world, same] = [new World(), new World()];
          const clients = new Clients(stepped, plain);
          clients.take(early);
          for (const [index, [one, moments]] of events.entries()) {
            const changes = applied(stepped, world.next(one, index + 2), clients, moments);
            expect(namesOf(changes)).toEqual(namesOf(plain.apply(same.next(one, index + 2))));
            clients.mustSeeAll();
            clients.take(early);
          }
          clients.take(all);
          clients.mustSeeAll();
        },
      ),
      { numRuns: Number(process.env["SIGNALBOX_RULE_RUNS"] ?? 40) },
    );
  });

  it("gives no view meanwhile, and goes on giving them when it failed", () => {
    const translator = createTranslator();
    const steps = translator.applying({ v: 1, type: "snapshot", catalog: catalogOf([]) });
    steps.next();
    expect(() => translator.view(all[0] as ProxyNode)).toThrow("while an event is taken in");
    steps.return(undefined as never);
    expect(translator.view(all[0] as ProxyNode)).toBeDefined();
  });
});
