import { create, toJson } from "@bufbuild/protobuf";
import { anyRegistry } from "@signalbox/envoy-api";
import { ListenerSchema } from "@signalbox/envoy-api/envoy/config/listener/v3/listener";
import type { Protocol } from "@signalbox/model";
import { atOnce } from "@signalbox/slices";
import { describe, expect, it } from "vitest";
import { EncodedParts } from "../encoded-parts.ts";
import { meshSettings } from "../mesh.ts";
import type { OutboundPort } from "../outbound-port.ts";
import { portListeners, type ListenerStyle } from "../outbound-listeners.ts";
import { entryOf } from "../testing/catalog.ts";
import { destinationsOf, policyOf, routingOf } from "./testing/sketch.ts";

const settings = meshSettings({});
const captured: ListenerStyle = { captured: true, bindAddress: "127.0.0.1", wildcards: ["0.0.0.0"], privileged: true };

interface Chain {
  readonly name?: string;
  readonly filterChainMatch?: {
    readonly serverNames?: readonly string[];
    readonly prefixRanges?: readonly { readonly addressPrefix: string; readonly prefixLen: number }[];
    readonly applicationProtocols?: readonly string[];
  };
  readonly filters: readonly { readonly typedConfig: Proxy }[];
}
interface Proxy {
  readonly cluster?: string;
  readonly weightedClusters?: { readonly clusters: readonly { readonly name: string; readonly weight: number }[] };
  readonly idleTimeout?: string;
  readonly hashPolicy?: readonly object[];
}
interface Listener {
  readonly name: string;
  readonly filterChains: readonly Chain[];
  readonly defaultFilterChain?: Chain;
  readonly listenerFilters?: readonly { readonly name: string }[];
}

function portOf(
  hostname: string,
  protocol: Protocol,
  addresses: readonly string[],
  spec?: Readonly<Record<string, unknown>>,
  destinations = destinationsOf(),
): OutboundPort {
  const entry = entryOf({ hostname, addresses, ports: [{ number: 443, protocol }] });
  const [port = { name: "p443", number: 443, protocol }] = entry.service.ports;
  return {
    service: entry.service,
    port,
    instances: [],
    encoded: new EncodedParts(entry.service, settings),
    ...(spec === undefined ? {} : { routing: routingOf(spec), destinations }),
  };
}

function listenersOf(ports: readonly OutboundPort[], style = captured): readonly Listener[] {
  return atOnce(portListeners(443, ports, style, settings)).map(
    ({ make }) =>
      toJson(ListenerSchema, create(ListenerSchema, make()), { registry: anyRegistry }) as unknown as Listener,
  );
}

/** Each chain in one line: what it matches and where it leads; the default chain comes last. */
function lines({ filterChains, defaultFilterChain }: Listener): readonly string[] {
  const line = ({ filterChainMatch: match = {}, filters }: Chain) => {
    const { cluster, weightedClusters } = filters[0]?.typedConfig ?? {};
    const ranges = match.prefixRanges?.map(({ addressPrefix, prefixLen }) => `${addressPrefix}/${String(prefixLen)}`);
    const shares = weightedClusters?.clusters.map(({ name, weight }) => `${name}*${String(weight)}`);
    const target = match.applicationProtocols === undefined ? (cluster ?? shares?.join(",")) : "HTTP";
    return [match.serverNames?.join(","), ranges?.join(","), target].filter((part) => part !== undefined).join(" ");
  };
  return [...filterChains.map(line), ...(defaultFilterChain === undefined ? [] : [`else ${line(defaultFilterChain)}`])];
}

const inspectors = ({ listenerFilters = [] }: Listener) => listenerFilters.map(({ name }) => name.split(".").at(-1));
const to = (...hosts: readonly string[]) => hosts.map((host) => ({ destination: { host }, weight: 1 }));

describe("a service with an address of its own", () => {
  const at = ["10.0.0.1"];

  it.each([
    [
      "TCP: a rule for every connection is the only chain",
      "TCP",
      { tcp: [{ route: to("a", "b") }] },
      ["outbound|443||a*1,outbound|443||b*1"],
      [],
    ],
    [
      "TCP: what a rule of ranges leaves goes to the service",
      "TCP",
      { tcp: [{ match: [{ destinationSubnets: ["10.0.0.0/8"] }], route: to("a") }] },
      ["10.0.0.0/8 outbound|443||a", "else outbound|443||web.test"],
      [],
    ],
    [
      "TCP: rules for another port leave everything to the service",
      "TCP",
      { tcp: [{ match: [{ port: 80 }], route: to("a") }] },
      ["outbound|443||web.test"],
      [],
    ],
    [
      "TCP: TLS rules are not for it",
      "TCP",
      { tls: [{ match: [{ sniHosts: ["a.test"] }], route: to("a") }] },
      ["outbound|443||web.test"],
      [],
    ],
    [
      "TLS: other names than those of the rules go where the client dialled",
      "TLS",
      { tls: [{ match: [{ sniHosts: ["b.test"] }, { sniHosts: ["a.test", "c.test"] }], route: to("a") }] },
      ["b.test outbound|443||a", "a.test,c.test outbound|443||a", "else PassthroughCluster"],
      ["tls_inspector"],
    ],
    [
      "TLS: a rule for every name is what is left",
      "HTTPS",
      {
        tls: [
          { match: [{ sniHosts: ["a.test"] }], route: to("a") },
          { match: [{ sniHosts: ["*"] }], route: to("b") },
        ],
      },
      ["a.test outbound|443||a", "else outbound|443||b"],
      ["tls_inspector"],
    ],
    ["TLS: TCP rules are not for it", "TLS", { tcp: [{ route: to("a") }] }, ["outbound|443||web.test"], []],
    [
      "TLS: of two rules for one name the first has it, the other what is left",
      "TLS",
      {
        tls: [
          { match: [{ sniHosts: ["a.test"] }], route: to("a") },
          { match: [{ sniHosts: ["a.test", "b.test"] }], route: to("b") },
        ],
      },
      ["a.test outbound|443||a", "b.test outbound|443||b", "else PassthroughCluster"],
      ["tls_inspector"],
    ],
    [
      "detected: TCP rules are for what is no HTTP",
      "UNSUPPORTED",
      { tcp: [{ match: [{ destinationSubnets: ["10.0.0.1"] }], route: to("a") }] },
      ["HTTP", "10.0.0.1/32 outbound|443||a", "else outbound|443||web.test"],
      ["http_inspector"],
    ],
  ] as const)("%s", (_, protocol, spec, chains, filters) => {
    const [listener, ...others] = listenersOf([portOf("web.test", protocol, at, spec)]);
    expect(others).toEqual([]);
    expect(listener?.name).toBe("10.0.0.1_443");
    expect(listener === undefined ? [] : lines(listener)).toEqual(chains);
    expect(listener === undefined ? [] : inspectors(listener)).toEqual(filters);
  });

  it("has the limits and the hashing of its policy, with rules and without", () => {
    const policy = policyOf({
      connectionPool: { tcp: { idleTimeout: "9s" } },
      loadBalancer: { consistentHash: { useSourceIp: true } },
    });
    const destinations = destinationsOf({}, { "web.test": policy });
    for (const spec of [{}, { tcp: [{ route: to("web.test") }] }]) {
      const [listener] = listenersOf([portOf("web.test", "TCP", at, spec, destinations)]);
      expect(listener?.filterChains[0]?.filters[0]?.typedConfig).toMatchObject({
        cluster: "outbound|443||web.test",
        idleTimeout: "9s",
        hashPolicy: [{ sourceIp: {} }],
      });
    }
  });
});

describe("services that share a listener", () => {
  const chainsOf = (ports: readonly OutboundPort[], style = captured) => {
    const [listener] = listenersOf(ports, style);
    return listener === undefined ? [] : lines(listener);
  };

  it("keep their own chains beside the rules of others, within their own ranges", () => {
    const ports = [
      portOf("a.test", "TLS", ["10.0.0.0/8"], { tls: [{ match: [{ sniHosts: ["x.test"] }], route: to("x") }] }),
      portOf("b.test", "TLS", ["10.0.0.0/8"]),
      portOf("c.test", "TCP", ["10.0.0.0/8"]),
      portOf("d.test", "TCP", ["10.1.0.0/16", "10.2.0.0/16"], { tcp: [{ route: to("y") }] }),
      portOf("e.test", "HTTP", []),
    ];
    expect(chainsOf(ports)).toEqual([
      "HTTP",
      "x.test 10.0.0.0/8 outbound|443||x",
      "b.test 10.0.0.0/8 outbound|443||b.test",
      "10.0.0.0/8 outbound|443||c.test",
      "10.1.0.0/16,10.2.0.0/16 outbound|443||y",
      "else PassthroughCluster",
    ]);
  });

  it("get a connection once: the first has it, the next what is left", () => {
    const ports = [
      portOf("a.test", "TCP", ["10.0.0.0/8"]),
      portOf("b.test", "TCP", ["10.9.9.9/8", "11.0.0.0/8"]),
      portOf("c.test", "TCP", ["10.0.0.0/8"]),
      portOf("d.test", "TCP", []),
      portOf("e.test", "TCP", []),
    ];
    expect(chainsOf(ports)).toEqual([
      "10.0.0.0/8 outbound|443||a.test",
      "11.0.0.0/8 outbound|443||b.test",
      "else outbound|443||d.test",
    ]);
  });

  it("of a client that binds its ports leave no way for other names", () => {
    const style = { ...captured, captured: false };
    const spec = { tls: [{ match: [{ sniHosts: ["x.test"] }], route: to("x") }] };
    expect(chainsOf([portOf("a.test", "TLS", [], spec)], style)).toEqual(["x.test outbound|443||x"]);
  });
});

describe("a service without routes", () => {
  it("is reached through the tunnel of its DestinationRule", () => {
    const tunnel = { protocol: "CONNECT", targetHost: "proxy.test", targetPort: 3128 };
    const destinations = destinationsOf({}, { "ext.test": policyOf({ tunnel }) });
    const [listener] = listenersOf([{ ...portOf("ext.test", "TCP", ["10.0.0.9"]), destinations }]);
    const [chain] = listener?.filterChains ?? [];
    expect(chain?.filters.map(({ typedConfig }) => typedConfig)).toMatchObject([
      { cluster: "outbound|443||ext.test", tunnelingConfig: { hostname: "proxy.test:3128" } },
    ]);
  });
});

describe("hosts whose names are looked up for each request", () => {
  const dynamic = entryOf({
    hostname: "*.ext.test",
    resolution: "DYNAMIC_DNS",
    ports: [
      { name: "http", number: 80, protocol: "HTTP" },
      { name: "tcp", number: 90, protocol: "TCP" },
    ],
  }).service;
  const destinations = {
    ...destinationsOf(),
    service: (host: string) => (host === "*.ext.test" ? dynamic : undefined),
  };
  const routed = { ...portOf("web.test", "HTTP", []), destinations };
  const caches = (port: OutboundPort): readonly string[] =>
    JSON.stringify(listenersOf([port])).match(/dns\|outbound[^"]*/g) ?? [];

  it("have a filter where rules of another service lead to them", () => {
    const routing = { ...routingOf({ hosts: ["web.test"] }), destinations: ["*.ext.test", "*.ext.test", "none.test"] };
    expect(caches({ ...routed, routing })).toEqual(["dns|outbound|80||*.ext.test"]);
  });

  it("have none where nothing leads there", () => {
    expect(caches({ ...routed, routing: routingOf({ hosts: ["web.test"] }) })).toEqual([]);
  });
});
