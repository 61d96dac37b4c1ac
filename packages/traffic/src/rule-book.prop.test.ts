import fc from "fast-check";
import { checkObject } from "@signalbox/istio-objects";
import { canonicalJson, contentHash, objectKey, type ConfigObject } from "@signalbox/model";
import { describe, expect, it } from "vitest";
import { anyClient, createRuleBook, type Client, type RuleBook } from "./index.ts";
import { hostsMatch } from "./host-name.ts";
import { bookOf, change, client, object, router } from "./testing/objects.ts";

const namespaces = ["istio-system", "a", "b"];
const hosts = ["x", "x.a.svc.cluster.local", "y.test", "z.y.test", "*.test", "*.y.test", "*"];
/** Hosts of one VirtualService: none covers another. None at all is for delegates. */
const hostLists = [
  ...hosts.map((host) => [host]),
  ["x", "y.test"],
  ["x.a.svc.cluster.local", "*.test"],
  ["y.test", "*.y.test"],
  ["x", "*.y.test"],
];
const asked = [
  "x.a.svc.cluster.local",
  "x.b.svc.cluster.local",
  "y.test",
  "z.y.test",
  "*.y.test",
  "*.a.svc.cluster.local",
];
const gatewayNames = ["a/edge", "istio-system/edge"];
const clients: readonly Client[] = [
  anyClient,
  ...namespaces.flatMap((namespace) => [
    client(namespace),
    client(namespace, { app: "web" }, "r1/z1"),
    client(namespace, { app: "web", tier: "1" }),
    client(namespace, { tier: "1" }, "r2"),
    router(namespace, { app: "web" }),
    router(namespace, { tier: "1" }),
  ]),
];

const name = fc
  .tuple(fc.constantFrom(...namespaces), fc.constantFrom("o", "p", "edge"))
  .map((parts) => parts.join("/"));
const at = fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined });
const exportTo = fc.constantFrom([], ["*"], ["."], ["a"], ["b"], ["a", "b"], [".", "b"]);
const labels = fc.constantFrom({}, { app: "web" }, { tier: "1" }, { app: "none" });
const selector = fc.option(labels, { nil: undefined });
const source = fc.record({
  sourceLabels: labels,
  sourceNamespace: fc.constantFrom("", "a", "b"),
  gateways: fc.subarray(["mesh", "a/edge"]),
});
const target = fc.constantFrom("x", "y.test").map((host) => [{ destination: { host } }]);
const tcp = fc.array(fc.record({ match: fc.array(source, { maxLength: 2 }), route: target }), { maxLength: 1 });
const tlsOf = (sniHosts: readonly string[]) => {
  const match = fc.array(
    source.map((asks) => ({ ...asks, sniHosts })),
    { minLength: 1, maxLength: 2 },
  );
  return fc.array(fc.record({ match, route: target }), { maxLength: 1 });
};
const routeHttp = fc.record({ match: fc.array(source, { maxLength: 2 }), route: target });
const delegateHttp = fc.record({
  match: fc.array(source, { maxLength: 1 }),
  delegate: fc.record({ name: fc.constantFrom("o", "p"), namespace: fc.constantFrom("", "a") }),
});
const http = (minLength: number) =>
  fc.array(fc.oneof({ weight: 3, arbitrary: routeHttp }, { weight: 1, arbitrary: delegateHttp }), {
    minLength,
    maxLength: 2,
  });
const gateways = fc.subarray(["mesh", "edge", "istio-system/edge"]);
const routed = fc.constantFrom(...hostLists).chain((list) =>
  fc.record({
    hosts: fc.constant(list),
    gateways: list.includes("*") ? fc.constantFrom(["edge"], ["edge", "istio-system/edge"]) : gateways,
    exportTo,
    http: http(0),
    tls: tlsOf(list),
    tcp,
  }),
);
const delegated = fc.record({
  hosts: fc.constant([]),
  exportTo,
  http: fc.array(routeHttp, { minLength: 1, maxLength: 2 }),
});

const virtualService = fc
  .tuple(name, fc.oneof({ weight: 4, arbitrary: routed }, { weight: 1, arbitrary: delegated }), at)
  .map(([id, spec, age]) => object("VirtualService", id, spec, age));

const trafficPolicy = fc.option(
  fc.oneof(
    fc.constant({ loadBalancer: { simple: "RANDOM" } }),
    fc.constant({ outlierDetection: { interval: "1s" } }),
    fc.constant({ loadBalancer: { localityLbSetting: { enabled: false } }, outlierDetection: {} }),
    fc.constant({ loadBalancer: { localityLbSetting: { failoverPriority: ["tier", "app=x"] } } }),
    fc.constant({ loadBalancer: { localityLbSetting: { distribute: [{ from: "r1/*", to: { "r1/*": 100 } }] } } }),
    fc.constant({ portLevelSettings: [{ port: { number: 80 }, outlierDetection: {} }] }),
  ),
  { nil: undefined },
);
const subset = fc.record({ name: fc.constantFrom("v1", "v2"), labels, trafficPolicy });
const destinationRule = fc
  .tuple(
    name,
    fc.record({
      host: fc.constantFrom(...hosts),
      exportTo,
      trafficPolicy,
      subsets: fc.uniqueArray(subset, { maxLength: 2, selector: (one) => one.name }),
      workloadSelector: fc.option(
        labels.map((matchLabels) => ({ matchLabels })),
        { nil: undefined },
      ),
    }),
    at,
  )
  .map(([id, spec, age]) => object("DestinationRule", id, spec, age));

const servers = [{ port: { number: 80, name: "http", protocol: "HTTP" }, hosts: ["*"] }];
const egress = [{ hosts: ["*/*"] }];
const selected = fc.oneof(
  fc.tuple(name, labels, at).map(([id, chosen, age]) => object("Gateway", id, { selector: chosen, servers }, age)),
  fc
    .tuple(name, selector, at)
    .map(([id, chosen, age]) =>
      object("Sidecar", id, { egress, ...(chosen === undefined ? {} : { workloadSelector: { labels: chosen } }) }, age),
    ),
  fc.tuple(name, selector, fc.integer({ min: -1, max: 1 }), at).map(([id, chosen, priority, age]) =>
    object(
      "EnvoyFilter",
      id,
      {
        priority,
        configPatches: [{ applyTo: "CLUSTER", patch: { operation: "MERGE", value: { name: `${id}${priority}` } } }],
        ...(chosen === undefined ? {} : { workloadSelector: { labels: chosen } }),
      },
      age,
    ),
  ),
);
/** A rule that can be used. */
const rule = fc
  .oneof(
    { weight: 4, arbitrary: virtualService },
    { weight: 4, arbitrary: destinationRule },
    { weight: 2, arbitrary: selected },
  )
  .filter((one) => checkObject(one).every(({ severity }) => severity !== "error"));
/** A form of a rule that cannot be used. */
const unusable = fc
  .tuple(fc.constantFrom("VirtualService", "DestinationRule", "Gateway", "Sidecar"), name, at)
  .map(([kind, id, age]) => object(kind, id, {}, age));

interface Step {
  readonly upserted: readonly ConfigObject[];
  readonly goes: readonly number[];
}

const stepsOf = (one: fc.Arbitrary<ConfigObject>): fc.Arbitrary<readonly Step[]> => {
  const step = fc.record({ upserted: fc.array(one, { maxLength: 3 }), goes: fc.array(fc.nat(20), { maxLength: 1 }) });
  return fc.array(step, { minLength: 1, maxLength: 6 });
};
/** Steps of rules that can all be used: what is in force then depends on the newest objects alone. */
const steps = stepsOf(rule);
const stepsWithUnusable = stepsOf(fc.oneof({ weight: 9, arbitrary: rule }, { weight: 1, arbitrary: unusable }));

type Said = ReadonlyMap<string, unknown>;

/** Everything a book says to a client, by what was asked. */
function answers(book: RuleBook, asker: Client): Said {
  const said = new Map<string, unknown>();
  for (const host of asked) {
    said.set(`routing ${host}`, book.routing(host, asker));
    said.set(`routed ${host}`, book.isRouted(host, asker));
    for (const owner of namespaces) said.set(`destination ${host} ${owner}`, book.destination(host, owner, asker));
  }
  for (const gateway of gatewayNames) said.set(`routings ${gateway}`, book.gatewayRoutings(gateway, asker));
  said.set("sidecar", book.sidecar(asker));
  said.set("gateways", book.gateways(asker));
  said.set("patches", book.envoyPatches(asker));
  return said;
}

/** Keys of the objects that answers to a client name. */
function namedBy(book: RuleBook, asker: Client): readonly string[] {
  const keys = new Set<string>();
  const gateways = asker.kind === "router" ? book.gateways(asker) : [];
  const routings =
    asker.kind === "router"
      ? gateways.flatMap(({ object: { name: short, namespace } }) =>
          book.gatewayRoutings(`${namespace}/${short}`, asker),
        )
      : asked.flatMap((host) => book.routing(host, asker) ?? []);
  for (const { name: short, namespace } of routings) keys.add(`VirtualService/${namespace}/${short}`);
  for (const host of asked)
    for (const owner of namespaces)
      for (const id of book.destination(host, owner, asker)?.objects ?? []) keys.add(`DestinationRule/${id}`);
  for (const { key } of gateways) keys.add(key);
  for (const { object: id } of book.envoyPatches(asker)) keys.add(`EnvoyFilter/${id}`);
  const sidecar = book.sidecar(asker);
  if (sidecar !== undefined) keys.add(sidecar.key);
  return [...keys];
}

const text = (said: unknown) => (said === undefined ? "nothing" : canonicalJson(said));
const hostOf = (question: string) => question.split(" ")[1] ?? "";

/** Applies one step to a book and to the plain set of objects. */
function apply(book: RuleBook, objects: Map<string, ConfigObject>, { upserted, goes }: Step) {
  const latest = new Map(upserted.map((one) => [objectKey(one), one]));
  const keys = [...objects.keys()];
  const removed = goes
    .flatMap((index) => keys[index % Math.max(keys.length, 1)] ?? [])
    .filter((key) => !latest.has(key as never));
  for (const key of removed) objects.delete(key);
  for (const [key, one] of latest) objects.set(key, one);
  return book.apply(change([...latest.values()], removed));
}

describe("a book of rules", () => {
  it("says what a book says that got the same objects at once, in any order", () => {
    fc.assert(
      fc.property(steps, fc.infiniteStream(fc.nat()), (changes, random) => {
        const book = createRuleBook();
        const objects = new Map<string, ConfigObject>();
        for (const one of changes) {
          apply(book, objects, one);
          // Asking in between must leave no traces.
          answers(book, anyClient);
        }
        const shuffled = [...objects.values()]
          .map((one) => ({ one, at: random.next().value as number }))
          .sort((a, b) => a.at - b.at)
          .map(({ one }) => one);
        const fresh = bookOf(shuffled);
        for (const asker of clients) {
          const grown = answers(book, asker);
          for (const [question, said] of answers(fresh, asker)) {
            expect(text(grown.get(question)), question).toBe(text(said));
          }
          expect(book.signature(asker)).toBe(fresh.signature(asker));
          expect(book.particular(asker)).toEqual(fresh.particular(asker));
        }
        for (const host of asked) expect(book.sendersTo(host)).toEqual(fresh.sendersTo(host));
        expect(book.status()).toEqual(fresh.status());
      }),
      { numRuns: 60 },
    );
  });

  it("names in touches everything that changed for somebody, and answers the rest with the same objects", () => {
    fc.assert(
      fc.property(stepsWithUnusable, (changes) => {
        const book = createRuleBook();
        const objects = new Map<string, ConfigObject>();
        for (const one of changes) {
          const before = clients.map((asker) => ({ said: answers(book, asker), signature: book.signature(asker) }));
          const touches = apply(book, objects, one);
          for (const [index, asker] of clients.entries()) {
            const now = answers(book, asker);
            for (const [question, was] of before[index]?.said ?? []) {
              if (now.get(question) === was) continue;
              if (/^(routing|destination) /.test(question)) {
                const touched = [...touches.hosts].some((host) => hostsMatch(host, hostOf(question)));
                expect(touched, `${question} for ${asker.namespace}`).toBe(true);
              } else if (question.startsWith("routings ")) {
                expect([...touches.gateways]).toContain(hostOf(question));
              } else if (question === "gateways") {
                expect(touches.gateways.size).toBeGreaterThan(0);
              } else if (question.startsWith("routed ")) {
                expect([...touches.hosts]).toContain(hostOf(question));
              } else {
                const touched = question === "sidecar" ? touches.sidecars : touches.envoyFilters;
                expect(touched.has(asker.namespace) || touched.has("istio-system"), question).toBe(true);
              }
            }
            if (book.signature(asker) !== before[index]?.signature) expect(touches.signatures).toBe(true);
          }
        }
      }),
      { numRuns: 100 },
    );
  });

  it("answers clients of one namespace and one signature with the same objects", () => {
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 12 }), (objects) => {
        const book = bookOf(objects);
        const first = new Map<string, Said>();
        for (const asker of clients) {
          const key = `${asker.namespace} ${book.signature(asker)}`;
          const said = answers(book, asker);
          const other = first.get(key) ?? said;
          first.set(key, other);
          for (const [question, answer] of said) expect(answer, `${question} for ${key}`).toBe(other.get(question));
        }
      }),
      { numRuns: 150 },
    );
  });

  it("has every host that is particular for a client, with and without owners", () => {
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 12 }), fc.constantFrom(...namespaces), (objects, owner) => {
        const book = bookOf(objects);
        const common = answers(book, anyClient);
        for (const asker of clients) {
          const all = book.particular(asker);
          const owned = book.particular(asker, () => [owner]);
          for (const [question, said] of answers(book, asker)) {
            if (!/^(routing|destination) /.test(question) || said === common.get(question)) continue;
            const matched = (list: readonly string[]) => list.some((host) => hostsMatch(host, hostOf(question)));
            expect(matched(all), `${question} for ${asker.namespace}`).toBe(true);
            if (!question.startsWith("destination") || question.endsWith(` ${owner}`))
              expect(matched(owned), question).toBe(true);
          }
        }
        expect(book.particular(anyClient)).toEqual([]);
      }),
      { numRuns: 150 },
    );
  });

  it("says that an object governs a client exactly where an answer names it, but for parts of VirtualServices", () => {
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 10 }), (all) => {
        const objects = new Map(all.map((one) => [objectKey(one), one]));
        const book = bookOf([...objects.values()]);
        const services = (host: string) =>
          asked
            .filter((hostname) => hostsMatch(host, hostname))
            .flatMap((hostname) => namespaces.map((namespace) => ({ hostname, namespace })));
        for (const asker of clients) {
          const governing = [...objects.keys()].filter((key) => book.governs(key, asker, { services }));
          const named = namedBy(book, asker);
          expect(governing, asker.namespace).toEqual(expect.arrayContaining([...named]));
          const deciding = governing.filter((key) => !named.includes(key));
          // What has a part without being named: routes of connections beside the first, delegates, hosts that nobody asked for.
          for (const key of deciding) expect(key).toMatch(/^VirtualService\//);
        }
      }),
      { numRuns: 100 },
    );
  });

  it("gives routings and policies the hash of what they say as version", () => {
    fc.assert(
      fc.property(fc.array(rule, { maxLength: 12 }), (objects) => {
        const book = bookOf(objects);
        const versions = new Map<string, string>();
        for (const asker of clients) {
          for (const said of answers(book, asker).values()) {
            if (typeof said !== "object" || said === null || !("version" in said)) continue;
            const { version, ...rest } = said;
            const says = versions.get(String(version)) ?? contentHash(rest);
            versions.set(String(version), says);
            expect(contentHash(rest)).toBe(says);
          }
        }
        expect(new Set(versions.values()).size).toBe(versions.size);
      }),
      { numRuns: 60 },
    );
  });
});
