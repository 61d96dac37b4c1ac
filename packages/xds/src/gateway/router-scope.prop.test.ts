import type { ConfigObject } from "@signalbox/model";
import { atOnce } from "@signalbox/slices";
import fc from "fast-check";
import { expect, it } from "vitest";
import type { ServiceSketch } from "../testing/catalog.ts";
import type { RouterScope } from "./router-scope.ts";
import { gateway, object, server, World, type Json } from "./testing/router.ts";

const hosts = fc.uniqueArray(
  fc.constantFrom("*", "*.test", "a.test", "b.test", "./a.test", "shop/*.test", "pay/b.test", "*/a.test"),
  { minLength: 1, maxLength: 3 },
);

const simple = { tls: { mode: "SIMPLE", credentialName: "cert" } };

const portAndTls = fc.constantFrom<readonly [string, Json]>(
  ["HTTP 80", {}],
  ["HTTP2 80", {}],
  ["HTTP 80", { tls: { httpsRedirect: true } }],
  ["HTTP 90", {}],
  ["HTTPS 443", simple],
  ["TLS 443", simple],
  ["TLS 443", { tls: { mode: "PASSTHROUGH" } }],
  ["TLS 443", { tls: { mode: "AUTO_PASSTHROUGH" } }],
  ["TCP 9000", {}],
  ["TCP 80", {}],
);

const anyServer = fc
  .tuple(portAndTls, hosts, fc.constantFrom("one", "two"), fc.constantFrom("", "0.0.0.0", "10.0.0.1"))
  .map(([[port, more], names, name, bind]) => server(port, names, { ...more, name, bind }));

const anyGateway = fc
  .tuple(fc.constantFrom("edge/gw", "edge/two", "shop/gw"), fc.array(anyServer, { minLength: 1, maxLength: 3 }))
  .map(([name, servers]) => gateway(name, ...servers));

const destination = fc.constantFrom("web.test", "db.test", "none.test").map((host) => ({ destination: { host } }));

const anyRoutes = fc
  .record({
    name: fc.constantFrom("shop/one", "shop/two", "pay/one", "edge/one"),
    hosts: fc.constantFrom(["*"], ["*.test"], ["a.test"], ["b.test"], ["a.test", "b.test"]),
    gateways: fc.uniqueArray(fc.constantFrom("edge/gw", "edge/two", "shop/gw"), { minLength: 1 }),
    prefix: fc.constantFrom("/", "/a", "/b"),
    to: destination,
    at: fc.integer({ min: 0, max: 3 }),
  })
  .map(({ at, gateways, hosts: names, name, prefix, to }) =>
    object(
      "VirtualService",
      name,
      {
        hosts: names,
        gateways,
        http: [{ match: [{ uri: { prefix } }], route: [to] }],
        tcp: [{ route: [to] }],
        tls: [
          {
            match: [
              {
                sniHosts: [names.find((one) => one !== "*") ?? "z.test"],
              },
            ],
            route: [to],
          },
        ],
      },
      at,
    ),
  );

const anyRule = fc.constantFrom("web.test", "*.test").chain((host) =>
  fc.constantFrom({ tcp: { idleTimeout: "5s" } }, { tcp: { idleTimeout: "9s" } }).map((connectionPool) =>
    object("DestinationRule", `edge/${host === "web.test" ? "web" : "all"}`, {
      host,
      trafficPolicy: { connectionPool },
    }),
  ),
);

const anyService = fc
  .record({
    hostname: fc.constantFrom("web.test", "db.test"),
    ports: fc.constantFrom(
      [{ number: 80, protocol: "HTTP" as const }],
      [{ number: 81, protocol: "HTTP" as const }],
      [
        { number: 80, protocol: "TCP" as const },
        { number: 90, protocol: "HTTP" as const },
      ],
    ),
    resolution: fc.constantFrom("STATIC" as const, "DYNAMIC_DNS" as const),
    instances: fc.constantFrom([], [{ address: "10.0.0.1:80" }], [{ address: "10.0.0.2:80" }]),
  })
  .map((sketch): ServiceSketch => sketch);

interface Step {
  readonly objects: readonly ConfigObject[];
  readonly gone: readonly ConfigObject[];
  readonly services: readonly ServiceSketch[];
  readonly goneServices: readonly ServiceSketch[];
}

const step: fc.Arbitrary<Step> = fc
  .record({
    objects: fc.array(fc.oneof(anyGateway, anyRoutes, anyRule), { maxLength: 3 }),
    gone: fc.array(fc.oneof(anyGateway, anyRoutes, anyRule), { maxLength: 1 }),
    services: fc.array(anyService, { maxLength: 2 }),
    goneServices: fc.array(anyService, { maxLength: 1 }),
  })
  .map(({ gone, goneServices, objects, services }) => {
    // A key is in one of the two lists, and once.
    const one = [...new Map(objects.map((each) => [`${each.kind} ${each.namespace}/${each.name}`, each])).values()];
    const some = [...new Map(services.map((each) => [each.hostname, each])).values()];
    const isSame = (a: ConfigObject, b: ConfigObject) =>
      a.kind === b.kind && a.namespace === b.namespace && a.name === b.name;
    return {
      objects: one,
      gone: gone.filter((each) => !one.some((other) => isSame(each, other))),
      services: some,
      goneServices: goneServices.filter((each) => !some.some(({ hostname }) => hostname === each.hostname)),
    };
  });

function versions({ clusters, listeners, routes }: RouterScope): Readonly<Record<string, unknown>> {
  const of = (table: typeof routes) => [...table.resources].map(([name, { version }]) => `${name} ${version}`).sort();
  return { clusters: of(clusters), listeners: of(listeners), routes: of(routes) };
}

function words(scope: RouterScope): readonly string[] {
  return [...scope.faults].map(({ cause, subject }) => `${subject}: ${String(cause)}`);
}

it("a router that follows changes has what one has that is made afterwards, and says what changed", () => {
  let built = 0;
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 6 }), (steps) => {
      const world = new World([], { services: [] });
      for (const { gone, goneServices, objects, services } of steps) {
        const before = new Map(
          [...world.scope.routes.resources, ...world.scope.listeners.resources].map(([name, { version }]) => [
            name,
            version,
          ]),
        );
        world.change(objects, gone, services, goneServices);
        const { listeners, routes } = world.scope;
        built += listeners.resources.size > 1 ? 1 : 0;
        expect(versions(world.scope)).toEqual(versions(world.fresh()));
        // A server may stand in another one's way; nothing else is wrong.
        expect(words(world.scope)).toEqual(words(world.fresh()));
        expect(words(world.scope).filter((text) => !text.startsWith("Gateway "))).toEqual([]);
        const after = new Map(
          [...routes.resources, ...listeners.resources].map(([name, { version }]) => [name, version]),
        );
        const moved = [...new Set([...before.keys(), ...after.keys()])].filter(
          (name) => before.get(name) !== after.get(name),
        );
        expect([...world.changed.routes, ...world.changed.listeners].sort()).toEqual(moved.sort());
      }
    }),
    { numRuns: 150, seed: 20_240_615 },
  );
  // Where the book refused most of what is made here, this would prove nothing.
  expect(built).toBeGreaterThan(150);
});

it("a router that is filled while things change has what one has that is made afterwards", () => {
  let interrupted = 0;
  const turns = fc.array(fc.record({ filling: fc.nat(3), changing: fc.nat(3) }), { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(
      fc.array(step, { minLength: 3, maxLength: 3 }),
      fc.array(fc.tuple(fc.nat(6), step, turns), { minLength: 1, maxLength: 5 }),
      (first, changes) => {
        const world = new World([], { services: [] });
        for (const one of first) world.change(one.objects, one.gone, one.services, one.goneServices);
        world.scope = world.empty();
        const filling = world.scope.filling();
        const advance = (count: number) => {
          for (let at = 0; at < count; at++) if (filling.next().done === true) return true;
          return false;
        };
        for (const [ahead, { gone, goneServices, objects, services }, turns] of changes) {
          interrupted += advance(ahead) ? 0 : 1;
          const changing = world.changing(objects, gone, services, goneServices);
          for (const turn of turns) {
            for (let at = 0; at < turn.changing; at++) changing.next();
            advance(turn.filling);
          }
          atOnce(changing);
        }
        atOnce(filling);
        world.scope.settle();
        expect(versions(world.scope)).toEqual(versions(world.fresh()));
        expect(words(world.scope)).toEqual(words(world.fresh()));
      },
    ),
    { numRuns: 200, seed: 20_261_129 },
  );
  // Where it was full before anything changed, this would prove nothing.
  expect(interrupted).toBeGreaterThan(150);
});
