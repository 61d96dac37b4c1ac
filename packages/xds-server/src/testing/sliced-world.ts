import fc from "fast-check";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { TypeUrl } from "@signalbox/envoy-api";
import { createXdsProtocol, type XdsProtocolOptions } from "../protocol/xds-protocol.ts";
import { SnapshotCache } from "../snapshot-cache.ts";
import { Turns } from "../turns.ts";
import { FakeXdsClock } from "./fake-clock.ts";
import { CDS, EDS, LDS, RDS } from "./fake-stream.ts";
import { ModelClient, modelResource } from "./model-client.ts";
import { SwitchingSource } from "./switching-source.ts";

const types = [CDS, EDS, LDS, RDS];

/** What clients may ask for, and how. */
export interface SlicedSetting {
  /** What exists, of every type. */
  readonly names: readonly string[];
  /** What a client may ask for. */
  readonly lists: readonly (readonly string[])[];
  readonly clients: number;
  readonly limits?: XdsProtocolOptions["limits"];
  /** Requests are taken in turns, too, and not at once. */
  readonly requestsInTurns?: boolean;
}

/** What may happen in a world with this setting. */
export function slicedActions({ clients, lists, names }: SlicedSetting) {
  const client = fc.nat({ max: clients - 1 });
  return {
    change: fc.record({
      do: fc.constant("change" as const),
      type: fc.constantFrom(...types),
      at: fc.nat({ max: names.length - 1 }),
      count: fc.constantFrom(1, 3, names.length),
      content: fc.option(fc.constantFrom("1", "2")),
    }),
    subscribe: fc.record({
      do: fc.constant("subscribe" as const),
      client,
      type: fc.constantFrom(...types),
      list: fc.nat({ max: lists.length - 1 }),
    }),
    process: fc.record({ do: fc.constant("process" as const), client }),
    reconnect: fc.record({ do: fc.constant("reconnect" as const), client }),
    switch: fc.record({ do: fc.constant("switch" as const), to: fc.constantFrom("one", "two") }),
    // Steps are done between the things that happen, as many as come.
    turn: fc.record({ do: fc.constant("turn" as const), count: fc.integer({ min: 1, max: 9 }) }),
  };
}

type Actions = ReturnType<typeof slicedActions>;
/** One of them. */
export type SlicedAction = {
  [K in keyof Actions]: Actions[K] extends fc.Arbitrary<infer T> ? T : never;
}[keyof Actions];

/** A server on a clock of its own, clients of it, and two views that change. */
export class SlicedWorld {
  readonly clients: readonly ModelClient[];
  protected readonly protocol: ReturnType<typeof createXdsProtocol>;
  protected readonly turns: Turns;
  readonly #setting: SlicedSetting;
  readonly #cache = new SnapshotCache();
  readonly #clock = new FakeXdsClock();
  readonly #source = new SwitchingSource(this.#cache, "one");

  /** With `stepMs` each look at the monotonic clock moves it by so much. */
  constructor(variant: "sotw" | "delta", stepMs: number, setting: SlicedSetting) {
    let now = 0;
    const monotonic = (): number => (now += stepMs);
    const { clients, limits, names, requestsInTurns } = setting;
    this.#setting = setting;
    this.turns = new Turns(monotonic);
    this.protocol = createXdsProtocol({
      ...{ source: this.#source, clock: this.#clock, turns: this.turns, monotonic },
      ...(limits && { limits }),
    });
    for (const group of ["one", "two"]) for (const type of types) this.#change(group, type, names, group);
    const { accept } = this.protocol;
    this.clients = Array.from({ length: clients }, () =>
      requestsInTurns === true ? new ModelClient(variant, accept, this.turns) : new ModelClient(variant, accept),
    );
  }

  async run(step: SlicedAction): Promise<void> {
    const { lists, names } = this.#setting;
    if (step.do === "change") {
      this.#change("one", step.type, names.slice(step.at, step.at + step.count), step.content);
    } else if (step.do === "switch") this.#source.switchTo(step.to);
    else if (step.do === "turn") for (let turn = 0; turn < step.count; turn++) await nextTurn();
    else {
      const client = this.clients[step.client];
      if (step.do === "subscribe") client?.subscribe(step.type, lists[step.list] ?? []);
      else if (step.do === "process") client?.process(2, false);
      else client?.reconnect();
    }
  }

  #change(group: string, type: TypeUrl, changed: readonly string[], content: string | null): void {
    const upserted = content === null ? [] : changed.map((name) => modelResource(type, name, content));
    const removed = content === null ? changed : [];
    this.#cache.update(group, new Map([[type, { upserted, removed }]]));
  }

  /** Lets everything be told and answered, and says what the clients then hold. */
  async settle(): Promise<unknown> {
    for (let quiet = 0; quiet < 3; quiet++) {
      do {
        await nextTurn();
        for (const client of this.clients) client.process(100, false);
      } while (this.turns.waiting > 0 || this.clients.some(({ stream }) => stream.received.length > 0));
      this.#clock.advance(60_000);
    }
    // What is gone, or what it asks for no more, a client of the state of the world may keep: it is not told of it.
    const view = this.#cache.view(this.#source.group);
    return this.clients.map((client) =>
      [...client.state()]
        .map(({ type, held, wants }) => {
          const kept = [...held].filter(([name]) => wants(name) && view?.resources(type).has(name) === true);
          return [type, kept.sort()] as const;
        })
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    );
  }
}
