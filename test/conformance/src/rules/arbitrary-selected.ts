import fc from "fast-check";
import { certificate, connectionPool, destination, labels, portNumber, rarely, some } from "./arbitrary-parts.ts";

const files = { serverCertificate: certificate("server.crt"), privateKey: certificate("server.key") };
const ca = { caCertificates: certificate("ca.crt") };
const ended = fc
  .tuple(
    fc.constantFrom(
      { mode: "SIMPLE", credentialName: "server" },
      { mode: "SIMPLE", credentialNames: ["rsa", "ecdsa"] },
      { mode: "SIMPLE", ...files },
      { mode: "SIMPLE", tlsCertificates: [files] },
      { mode: "MUTUAL", credentialName: "server" },
      { mode: "MUTUAL", ...files, ...ca },
      { mode: "OPTIONAL_MUTUAL", ...files, ...ca },
      { mode: "ISTIO_MUTUAL" },
    ),
    some({
      minProtocolVersion: fc.constantFrom("TLS_AUTO", "TLSV1_0", "TLSV1_1", "TLSV1_2", "TLSV1_3"),
      maxProtocolVersion: fc.constantFrom("TLS_AUTO", "TLSV1_3"),
      cipherSuites: fc.subarray(["ECDHE-RSA-AES256-GCM-SHA384", "AES128-SHA", "NONSENSE"]),
      subjectAltNames: fc.subarray(["a.example.com", "spiffe://a/b"]),
      verifyCertificateHash: fc.constantFrom([], ["aa".repeat(32)]),
      verifyCertificateSpki: fc.constantFrom([], ["NvqYIYSbgK2vCJpQhObf77vv+bQWtc5ek5RIOwPiC9A="]),
    }),
  )
  .map(([mode, rest]) => (mode.mode === "ISTIO_MUTUAL" ? mode : { ...rest, ...mode }));

const way = fc.oneof(
  fc.record({ protocol: fc.constantFrom("HTTP", "GRPC", "HTTP2", "GRPC-WEB", "TCP", "MONGO") }),
  fc.record({ protocol: fc.constant("HTTP"), tls: fc.constant({ httpsRedirect: true }) }),
  fc.record({ protocol: fc.constantFrom("HTTPS", "TLS"), tls: ended }),
  fc.record({ protocol: fc.constantFrom("TLS", "HTTPS"), tls: fc.constant({ mode: "PASSTHROUGH" }) }),
  fc.record({ protocol: fc.constant("TLS"), tls: fc.constant({ mode: "AUTO_PASSTHROUGH" }) }),
);
const server = fc
  .record(
    {
      number: fc.constantFrom(80, 443, 8080, 15_443),
      way,
      hosts: fc.uniqueArray(
        fc.constantFrom(
          "*",
          "*.example.com",
          "static.example.com",
          "shop/web.shop.svc.cluster.local",
          "./dns.example.com",
        ),
        { minLength: 1, maxLength: 3 },
      ),
      bind: rarely(fc.constantFrom("127.0.0.1", "::1", "0.0.0.0")),
    },
    { requiredKeys: ["number", "way", "hosts"] },
  )
  .map(({ number, way: { protocol, ...rest }, ...more }) => ({ port: { number, protocol }, ...rest, ...more }));

/** Gateways with every field. */
export const gateway = fc
  .record({
    selector: fc.constantFrom({ app: "edge" }, {}),
    servers: fc
      .array(server, { minLength: 1, maxLength: 5 })
      .map((all) => all.map(({ port, ...rest }, at) => ({ port: { ...port, name: `port-${String(at)}` }, ...rest }))),
  })
  .map((spec) => ({ kind: "Gateway", spec }));

const port = fc.record({
  number: portNumber,
  protocol: fc.constantFrom("HTTP", "TCP", "TLS", "GRPC", "HTTPS", "UNSUPPORTED"),
});
const egress = fc.record(
  {
    port: rarely(port),
    bind: rarely(fc.constantFrom("127.0.0.1", "10.7.7.7")),
    captureMode: fc.constantFrom("DEFAULT", "IPTABLES", "NONE"),
    hosts: fc.uniqueArray(
      fc.constantFrom(
        "*/*",
        "./*",
        "~/*",
        "shop/*",
        "*/static.example.com",
        "other/store.other.svc.cluster.local",
        "*/*.example.com",
      ),
      { minLength: 1, maxLength: 3 },
    ),
  },
  { requiredKeys: ["hosts"] },
);
const ingress = fc.record(
  {
    port,
    bind: rarely(fc.constantFrom("0.0.0.0", "10.0.0.9")),
    captureMode: fc.constantFrom("DEFAULT", "IPTABLES", "NONE"),
    defaultEndpoint: fc.constantFrom("127.0.0.1:8081", "0.0.0.0:9000", "[::1]:8081", "unix:///tmp/own.sock"),
    connectionPool: rarely(connectionPool),
  },
  { requiredKeys: ["port", "defaultEndpoint"] },
);
const numbered = ({ port: one }: { readonly port?: { readonly number: number } | undefined }) => one?.number;

/** Sidecars with every field. */
export const sidecar = fc
  .record(
    {
      workloadSelector: fc.record({ labels }),
      egress: fc
        .uniqueArray(egress, { minLength: 1, maxLength: 3, selector: numbered })
        .map((all) =>
          [...all.filter((one) => one.port !== undefined), ...all.filter((one) => one.port === undefined)].map(
            (one, at) => (one.port === undefined ? one : { ...one, port: { ...one.port, name: `port-${String(at)}` } }),
          ),
        ),
      ingress: rarely(
        fc
          .uniqueArray(ingress, { minLength: 1, maxLength: 3, selector: numbered })
          .map((all) => all.map((one, at) => ({ ...one, port: { ...one.port, name: `in-${String(at)}` } }))),
      ),
      inboundConnectionPool: rarely(connectionPool),
      outboundTrafficPolicy: fc.oneof(
        fc.record({ mode: fc.constantFrom("REGISTRY_ONLY", "ALLOW_ANY") }),
        fc.record({ mode: fc.constant("ALLOW_ANY"), egressProxy: destination }),
      ),
    },
    { requiredKeys: ["egress"] },
  )
  .map((spec) => ({ kind: "Sidecar", spec }));
