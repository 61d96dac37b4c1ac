import { typeUrls } from "@signalbox/envoy-api";
import fc from "fast-check";
import { expect, it } from "vitest";
import { SnapshotCache } from "../snapshot-cache.ts";
import { FakeXdsClock } from "../testing/fake-clock.ts";
import { CDS, RDS } from "../testing/fake-stream.ts";
import { HostClient, hostlessTable, hostOf } from "../testing/host-client.ts";
import { createXdsProtocol } from "./xds-protocol.ts";

const table = fc.constantFrom("80", "81");
/** Content of a table, and of its virtual hosts; none: the table is gone with all of them. */
const content = fc.option(
  fc.record({
    settings: fc.constantFrom("1", "2"),
    hosts: fc.dictionary(fc.constantFrom("a", "b", "c"), fc.constantFrom("1", "2")),
  }),
  { freq: 3 },
);
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant("put"), table, content }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("want"), table }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("leave"), table }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("process"), count: fc.integer({ min: 1, max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reconnect"), hostsFirst: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("wait") }) },
) as fc.Arbitrary<Step>;
type Content = typeof content extends fc.Arbitrary<infer C> ? C : never;
type Step =
  | { readonly do: "put"; readonly table: string; readonly content: Content }
  | { readonly do: "want" | "leave"; readonly table: string }
  | { readonly do: "process"; readonly count: number }
  | { readonly do: "reconnect"; readonly hostsFirst: boolean }
  | { readonly do: "wait" };

/** What there is: a table is gone with its virtual hosts, and comes with them. */
class World {
  readonly cache = new SnapshotCache();
  readonly tables = new Map<string, NonNullable<Content>>();

  put(name: string, next: Content): void {
    if (next === null) this.tables.delete(name);
    else this.tables.set(name, next);
    const tables = [...this.tables].map(([one, { settings }]) => hostlessTable(one, settings));
    const hosts = [...this.tables].flatMap(([one]) => [...this.hostsOf(one)].map(([host, text]) => hostOf(host, text)));
    this.cache.setSnapshot(
      "n",
      new Map([
        [CDS, []],
        [RDS, tables],
        [typeUrls.virtualHost, hosts],
      ]),
    );
  }

  hostsOf(name: string): ReadonlyMap<string, string> {
    const hosts = Object.entries(this.tables.get(name)?.hosts ?? {});
    return new Map(hosts.map(([host, text]) => [`${name}/${host}`, text]));
  }
}

it("a client has, once all is quiet, the virtual hosts of its tables, and says so of no others", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 4, maxLength: 30 }), (steps) => {
      const clock = new FakeXdsClock();
      const world = new World();
      world.put("80", { settings: "1", hosts: { a: "1" } });
      const client = new HostClient(createXdsProtocol({ source: world.cache, clock }).accept);
      for (const one of steps) {
        if (one.do === "put") world.put(one.table, one.content);
        else if (one.do === "want") client.want(one.table);
        else if (one.do === "leave") client.leave(one.table);
        else if (one.do === "process") client.process(one.count);
        else if (one.do === "reconnect") client.reconnect(one.hostsFirst);
        else clock.advance(5000);
      }
      for (let quiet = 0; quiet < 3; quiet++) {
        while (client.process(Infinity) > 0) quiet = 0;
        clock.advance(60_000);
      }
      for (const name of client.wanted)
        if (world.tables.has(name)) expect(client.tables.get(name)).toEqual(world.hostsOf(name));
      for (const host of client.asksTables ? client.heldHosts.keys() : []) {
        const [name = ""] = host.split("/");
        expect(client.wanted).toContain(name);
        if (world.tables.has(name)) expect(client.heldHosts.get(host)).toBe(world.hostsOf(name).get(host));
      }
    }),
    { numRuns: Number(process.env["SIGNALBOX_VHDS_RUNS"] ?? 500) },
  );
});
