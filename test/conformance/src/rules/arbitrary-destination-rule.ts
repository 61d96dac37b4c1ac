import fc from "fast-check";
import {
  certificate,
  connectionPool,
  exportTo,
  host,
  labels,
  oneOf,
  portNumber,
  rarely,
  some,
  wait,
} from "./arbitrary-parts.ts";

const hash = fc
  .tuple(
    oneOf({
      httpHeaderName: fc.constantFrom("x-user", ":authority"),
      httpCookie: fc.record(
        {
          name: fc.constant("user"),
          path: fc.constantFrom("/", "/a"),
          ttl: fc.constantFrom("0s", "60s"),
          attributes: fc.constantFrom([], [{ name: "SameSite", value: "Strict" }]),
        },
        { requiredKeys: ["name", "ttl"] },
      ),
      useSourceIp: fc.boolean(),
      httpQueryParameterName: fc.constant("user"),
    }),
    fc.constantFrom(
      {},
      { ringHash: { minimumRingSize: 2048 } },
      { maglev: { tableSize: 1021 } },
      { maglev: { tableSize: 65_537 } },
      { maglev: {} },
      { minimumRingSize: 1024 },
    ),
  )
  .map(([by, how]) => ({ ...by, ...how }));

const locality = fc.constantFrom(
  { enabled: false },
  { failover: [{ from: "north", to: "south" }] },
  { failoverPriority: ["topology.kubernetes.io/region", "app=web"] },
  { distribute: [{ from: "north/*", to: { "north/*": 80, "south/*": 20 } }] },
  { distribute: [{ from: "*", to: { "south/a": 100 } }] },
);

const loadBalancer = fc
  .tuple(
    fc.oneof(
      fc.constant({}),
      oneOf({
        simple: fc.constantFrom("UNSPECIFIED", "LEAST_CONN", "RANDOM", "PASSTHROUGH", "ROUND_ROBIN", "LEAST_REQUEST"),
        consistentHash: hash,
      }),
    ),
    some({
      localityLbSetting: locality,
      warmup: rarely(
        fc.record(
          { duration: wait, minimumPercent: fc.constantFrom(0, 20, 100), aggression: fc.constantFrom(1, 2.5) },
          { requiredKeys: ["duration"] },
        ),
      ),
      warmupDurationSecs: rarely(wait),
    }),
  )
  .map(([how, where]) => ({ ...how, ...where }));

const outlierDetection = some({
  splitExternalLocalOriginErrors: fc.boolean(),
  consecutiveLocalOriginFailures: fc.constantFrom(0, 1, 5),
  consecutiveGatewayErrors: fc.constantFrom(0, 1, 5),
  consecutive5xxErrors: fc.constantFrom(0, 1, 5),
  interval: wait,
  baseEjectionTime: wait,
  maxEjectionPercent: fc.constantFrom(0, 50, 100),
  minHealthPercent: fc.constantFrom(0, 50, 100),
  outlierDetectionHttpErrorCodes: fc.constantFrom([], [500, 503], [429]),
});

const common = some({
  sni: fc.constant("sni.example.com"),
  subjectAltNames: fc.subarray(["a.example.com", "spiffe://a/b", "10.0.0.1"]),
});
const clientTls = fc
  .tuple(
    common,
    fc.constantFrom(
      { mode: "DISABLE" },
      { mode: "SIMPLE" },
      { mode: "SIMPLE", insecureSkipVerify: true },
      { mode: "SIMPLE", caCertificates: "system" },
      { mode: "SIMPLE", caCertificates: certificate("ca.crt") },
      { mode: "SIMPLE", credentialName: "ca" },
      {
        mode: "MUTUAL",
        clientCertificate: certificate("client.crt"),
        privateKey: certificate("client.key"),
        caCertificates: certificate("ca.crt"),
      },
      { mode: "MUTUAL", credentialName: "client" },
      { mode: "ISTIO_MUTUAL" },
    ),
  )
  .map(([rest, mode]) => (mode.mode === "DISABLE" ? mode : { ...rest, ...mode }));

const portFields = { loadBalancer, connectionPool, outlierDetection, tls: rarely(clientTls) };
const trafficPolicy = some({
  ...portFields,
  portLevelSettings: fc.uniqueArray(
    fc.record({ port: fc.record({ number: portNumber }), ...portFields }, { requiredKeys: ["port"] }),
    { maxLength: 2, selector: ({ port }) => port.number },
  ),
  tunnel: rarely(
    fc.record({
      protocol: fc.constantFrom("CONNECT", "POST"),
      targetHost: fc.constant("proxy.example.com"),
      targetPort: fc.constant(3128),
    }),
  ),
  proxyProtocol: rarely(fc.record({ version: fc.constantFrom("V1", "V2") })),
  retryBudget: rarely(
    some({ percent: fc.constantFrom(0, 20.5, 100), minRetryConcurrency: fc.constantFrom(0, 3), budgetInterval: wait }),
  ),
});

/** DestinationRules with every field. */
export const destinationRule = fc
  .record(
    {
      host: fc.oneof({ weight: 4, arbitrary: host }, fc.constantFrom("*.example.com", "*.svc.cluster.local")),
      trafficPolicy,
      subsets: fc.uniqueArray(
        fc.record({ name: fc.constantFrom("v1", "v2"), labels, trafficPolicy }, { requiredKeys: ["name", "labels"] }),
        { maxLength: 2, selector: ({ name }) => name },
      ),
      exportTo,
      workloadSelector: rarely(fc.record({ matchLabels: labels })),
    },
    { requiredKeys: ["host"] },
  )
  .map((spec) => ({ kind: "DestinationRule", spec }));
