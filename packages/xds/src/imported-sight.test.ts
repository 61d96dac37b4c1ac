import { objectKey, registryId, type ConfigObject } from "@signalbox/model";
import { atOnce } from "@signalbox/slices";
import { anyClient, createRuleBook, type RuleBook } from "@signalbox/traffic";
import { expect, it } from "vitest";
import { Directory } from "./directory.ts";
import { ImportedSight } from "./imported-sight.ts";
import { meshSettings } from "./mesh.ts";

const provenance = { registry: registryId("test", "one"), object: "test" };

function routing(host: string, destination: string): ConfigObject {
  const spec = { hosts: [host], http: [{ route: [{ destination: { host: destination } }] }] };
  return { kind: "VirtualService", namespace: "shop", name: host, labels: {}, annotations: {}, spec, provenance };
}

/** What a sight of everything follows, with how often it asked a book for the routing of a host. */
function followed(objects: readonly ConfigObject[]) {
  let asked = 0;
  const book = createRuleBook();
  const counting: RuleBook = {
    ...book,
    routing(...question) {
      asked++;
      return book.routing(...question);
    },
  };
  const directory = new Directory(meshSettings({}), book);
  const none = { upserted: [], removed: [] };
  const take = (upserted: readonly ConfigObject[], removed: readonly ConfigObject[] = []) =>
    atOnce(directory.applying(none, book.apply({ upserted, removed: removed.map(objectKey) })));
  take(objects);
  const sight = new ImportedSight(directory, counting, { ...anyClient, namespace: "shop" }, ["*/*"]);
  const filling = sight.filling();
  let steps = 0;
  while (filling.next().done !== true) steps++;
  return {
    steps,
    hosts: () => [...sight.hosts()].sort(),
    change: (upserted: readonly ConfigObject[], removed: readonly ConfigObject[] = []) => {
      const touched = take(upserted, removed);
      const before = asked;
      const told = atOnce(sight.following(touched));
      return { asked: asked - before, moved: [...told.hosts.keys()].sort() };
    },
  };
}

it("is filled in steps, and asks for the routes of changed hosts alone, however many there are", () => {
  const many = Array.from({ length: 2_000 }, (_, at) => routing(`host-${String(at)}.io`, `to-${String(at)}.io`));
  const { change, hosts, steps } = followed(many);
  expect(steps).toBeGreaterThan(20);
  expect(hosts()).toHaveLength(4_000);
  const { asked, moved } = change([routing("host-7.io", "elsewhere.io")]);
  expect(moved).toEqual(["elsewhere.io", "host-7.io", "to-7.io"]);
  expect(asked).toBe(1);
});

it("keeps a destination in sight until the last route to it is gone", () => {
  const { change, hosts } = followed([routing("a.io", "to.io"), routing("b.io", "to.io")]);
  expect(change([], [routing("a.io", "to.io")]).moved).toEqual(["a.io"]);
  expect(hosts()).toEqual(["b.io", "to.io"]);
  expect(change([], [routing("b.io", "to.io")]).moved).toEqual(["b.io", "to.io"]);
  expect(hosts()).toEqual([]);
});

it("asks again for all hosts within a wildcard whose rules changed", () => {
  const { change, hosts } = followed([routing("a.io", "to.io"), routing("b.test", "to.test")]);
  const { asked, moved } = change([routing("*.io", "wide.io")]);
  expect(moved).toContain("wide.io");
  expect(asked).toBe(2);
  expect(hosts()).toEqual(["*.io", "a.io", "b.test", "to.io", "to.test", "wide.io"]);
});
