import { fileURLToPath } from "node:url";
import fc from "fast-check";

/** Rules as JSON. */
export type Json = Readonly<Record<string, unknown>>;

/** Objects with some of the members, or none. */
export function some(model: Readonly<Record<string, fc.Arbitrary<unknown>>>): fc.Arbitrary<Json> {
  return fc.record(model, { requiredKeys: [] });
}

/** Objects with exactly one of the members. */
export function oneOf(model: Readonly<Record<string, fc.Arbitrary<unknown>>>): fc.Arbitrary<Json> {
  return fc.oneof(...Object.entries(model).map(([name, value]) => value.map((one) => ({ [name]: one }))));
}

/** Nearly always absent: members that shut out most others. */
export function rarely<T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.option(value, { nil: undefined, freq: 1 });
}

/** Namespaces of services, rules and clients. */
export const namespace = fc.constantFrom("shop", "other", "istio-system");

/** Names of rules. */
export const ruleName = fc.constantFrom("front", "x", "y");

/** Hosts of services, of nothing, and short names. The first stands there more than once, so that rules meet. */
export const host = fc.constantFrom(
  "web.shop.svc.cluster.local",
  "web.shop.svc.cluster.local",
  "web.shop.svc.cluster.local",
  "web",
  "store.other.svc.cluster.local",
  "static.example.com",
  "dns.example.com",
  "robin.example.com",
  "none.example.com",
  "gone.example.com",
);

/** Labels that clients and endpoints have, or not. */
export const labels = fc.constantFrom({}, { app: "web" }, { app: "edge" }, { version: "v1" });

/** Port numbers of services, of Gateways, and of nothing. */
export const portNumber = fc.constantFrom(80, 443, 3306, 7000, 8080, 12_345);

/** Lengths of time that every field takes. */
export const wait = fc.constantFrom("1ms", "1.5s", "30s", "1h");

/** Shares in percent. */
export const percent = fc.oneof(fc.constantFrom(0, 0.0001, 100), fc.double({ min: 0, max: 100, noNaN: true }));

/** Where a request or connection goes. */
export const destination = fc.record(
  { host, subset: fc.constantFrom("v1", "v2", "none"), port: fc.record({ number: portNumber }) },
  { requiredKeys: ["host"] },
);

/** Whose rules are seen by whom. */
export const exportTo = fc.constantFrom([], ["*"], ["."], ["shop"]);

/** The path of a file that clients would have: a certificate or key of the tests. */
export function certificate(name: string): string {
  return fileURLToPath(new URL(`../../../certificates/${name}`, import.meta.url));
}

/** How a proxy treats connections to one workload. */
export const connectionPool = some({
  tcp: some({
    maxConnections: fc.constantFrom(0, 1, 100),
    connectTimeout: wait,
    tcpKeepalive: some({
      probes: fc.constantFrom(0, 3),
      time: fc.constantFrom("1s", "2h"),
      interval: fc.constantFrom("1s", "75s"),
    }),
    maxConnectionDuration: wait,
    idleTimeout: fc.oneof(wait, fc.constant("0s")),
  }),
  http: some({
    http1MaxPendingRequests: fc.constantFrom(0, 1, 1024),
    http2MaxRequests: fc.constantFrom(0, 1, 1024),
    maxRequestsPerConnection: fc.constantFrom(0, 1),
    maxRetries: fc.constantFrom(0, 3),
    idleTimeout: wait,
    h2UpgradePolicy: fc.constantFrom("DEFAULT", "DO_NOT_UPGRADE", "UPGRADE"),
    useClientProtocol: fc.boolean(),
    maxConcurrentStreams: fc.constantFrom(0, 1, 1000),
    http2KeepAlive: some({ interval: wait, timeout: wait }),
  }),
});
