import { setImmediate as nextTurn } from "node:timers/promises";
import { LoopTurn } from "@signalbox/slices";
import { beforeEach, describe, expect, it } from "vitest";
import { resourceOf } from "../resource.ts";
import { SnapshotCache } from "../snapshot-cache.ts";
import type { ResourceSource } from "../source.ts";
import { FakeXdsClock } from "../testing/fake-clock.ts";
import { deltaAds, EDS, encodeContent, FakeStream, LDS, sotwAds } from "../testing/fake-stream.ts";
import { SwitchingSource } from "../testing/switching-source.ts";
import { Turns } from "../turns.ts";
import { createXdsProtocol } from "./xds-protocol.ts";

type Variant = "sotw" | "delta";

const names = ["a", "b", "c"];
const turnMs = 3;

/** A server whose clients go from the view of group `one` to that of `two` and back; those whose node is `stays` do not. */
class World {
  readonly clock = new FakeXdsClock();
  readonly #variant: Variant;
  readonly #cache = new SnapshotCache();
  readonly #switching = new SwitchingSource(this.#cache, "one");
  readonly #turns: Turns;
  readonly #protocol;
  #now = 0;

  constructor(variant: Variant) {
    this.#variant = variant;
    this.#turns = new Turns(() => this.#now, turnMs, new LoopTurn(() => 0));
    for (const group of ["one", "two"]) this.set(group, group);
    const source: ResourceSource = {
      acquire: (node, onChange) =>
        node.id === "stays"
          ? this.#cache.acquire({ ...node, id: "one" }, onChange)
          : this.#switching.acquire(node, onChange),
    };
    const monotonic = (): number => this.#now;
    this.#protocol = createXdsProtocol({ source, clock: this.clock, turns: this.#turns, monotonic });
  }

  set(group: string, content: string, upserted = names, removed: readonly string[] = []): void {
    const resources = upserted.map((name) => resourceOf(name, encodeContent(name, content)));
    const change = { upserted: resources, removed };
    this.#cache.update(
      group,
      new Map([
        [EDS, change],
        [LDS, change],
      ]),
    );
  }

  switchTo(group: string): void {
    this.#switching.switchTo(group);
  }

  /** What comes from now on waits for the next turn. */
  fillTurn(): void {
    this.#turns.run(() => (this.#now += turnMs));
  }

  client(id = "goes"): Client {
    const stream = new FakeStream(this.#variant === "sotw" ? sotwAds : deltaAds);
    stream.open(this.#protocol.accept);
    return new Client(this.#variant, stream, id);
  }

  /** Lets the loop turn until all clients were told of everything. */
  async quiet(clients: readonly Client[]): Promise<void> {
    for (let round = 0; round < 3; round++) {
      do {
        await nextTurn();
        for (const client of clients) client.take();
      } while (this.#turns.waiting > 0);
      // What is removed last waits for an answer at most so long.
      this.clock.advance(60_000);
    }
  }
}

/** Has all listeners, and endpoints by name. */
class Client {
  readonly stream: FakeStream;
  readonly listeners = new Map<string, string>();
  readonly endpoints = new Map<string, string>();
  /** Names that came. */
  told: string[] = [];
  readonly #variant: Variant;

  constructor(variant: Variant, stream: FakeStream, id: string) {
    this.#variant = variant;
    this.stream = stream;
    if (variant === "sotw") {
      stream.sotw({ node: { id }, typeUrl: LDS });
      stream.sotw({ typeUrl: EDS, resourceNames: names });
    } else {
      stream.delta({ node: { id }, typeUrl: LDS, resourceNamesSubscribe: ["*"] });
      stream.delta({ typeUrl: EDS, resourceNamesSubscribe: names });
    }
  }

  take(): void {
    for (const { nonce, removed, resources, type, version } of this.stream.take()) {
      const held = type === LDS ? this.listeners : this.endpoints;
      if (this.#variant === "sotw" && type === LDS) held.clear();
      for (const [name, content] of resources) held.set(name, content);
      for (const name of removed) held.delete(name);
      this.told.push(...[...resources].map(([name]) => name), ...removed);
      const resourceNames = type === LDS ? [] : names;
      if (this.#variant === "delta") this.stream.delta({ typeUrl: type, responseNonce: nonce });
      else this.stream.sotw({ typeUrl: type, resourceNames, versionInfo: version, responseNonce: nonce });
    }
  }
}

const contents = (client: Client): unknown => [client.listeners, client.endpoints].map((held) => [...held].sort());

describe.each(["sotw", "delta"] as const)("%s streams that come back to a view before their turn", (variant) => {
  let world: World;
  let clients: readonly Client[];
  beforeEach(async () => {
    world = new World(variant);
    clients = [world.client(), world.client(), world.client("stays"), world.client()];
    await world.quiet(clients);
    for (const client of clients) client.told = [];
  });

  it("hear of what changed in it meanwhile", async () => {
    world.switchTo("two");
    world.set("one", "changed", ["b"]);
    world.switchTo("one");
    world.set("one", "changed again", ["c"]);
    await world.quiet(clients);
    const expected = [
      ["a", "one"],
      ["b", "changed"],
      ["c", "changed again"],
    ];
    for (const client of clients) expect(contents(client)).toEqual([expected, expected]);
  });

  it("hear of what went, and of what came back as another", async () => {
    world.switchTo("two");
    world.set("one", "", [], ["a", "b"]);
    world.set("one", "new", ["b"]);
    world.switchTo("one");
    await world.quiet(clients);
    const listeners = [
      ["b", "new"],
      ["c", "one"],
    ];
    for (const client of clients) expect([...client.listeners].sort()).toEqual(listeners);
    for (const client of clients) expect(client.endpoints.get("b")).toBe("new");
  });

  it("hear of it also when they had not heard yet of what changed before they went", async () => {
    world.fillTurn();
    world.set("one", "before", ["a"]);
    world.switchTo("two");
    world.set("one", "meanwhile", ["b"]);
    world.switchTo("one");
    await world.quiet(clients);
    const expected = [
      ["a", "before"],
      ["b", "meanwhile"],
      ["c", "one"],
    ];
    for (const client of clients) expect(contents(client)).toEqual([expected, expected]);
  });

  it("hear of it when another view has what theirs has now", async () => {
    world.fillTurn();
    world.set("one", "before", ["a"]);
    world.switchTo("two");
    world.set("one", "two", ["b"]);
    await world.quiet(clients);
    const expected = names.map((name) => [name, "two"]);
    for (const client of clients.filter((_, at) => at !== 2)) expect(contents(client)).toEqual([expected, expected]);
  });

  it("hear nothing when nothing changed in it", async () => {
    world.switchTo("two");
    world.switchTo("one");
    await world.quiet(clients);
    for (const client of clients) expect(client.told).toEqual([]);
  });

  it("have to come back with what they hold, if they take everything, when nobody knows any more what changed", async () => {
    world.switchTo("two");
    const many = Array.from({ length: 400 }, (_, at) => `more-${at}`);
    for (const content of ["1", "2", "3", "4"]) world.set("one", content, many);
    world.set("one", "", [], [...many, "a"]);
    world.switchTo("one");
    await world.quiet(clients);
    const expected = [
      ["b", "one"],
      ["c", "one"],
    ];
    for (const [at, client] of clients.entries()) {
      if (variant === "delta" && at !== 2) expect(client.stream.ended?.code).toBe(14);
      else expect([...client.listeners].sort()).toEqual(expected);
    }
  });
});
