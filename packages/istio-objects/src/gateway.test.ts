import { describe, expect, it } from "vitest";
import { checkGateway } from "./gateway.ts";
import { faultLines } from "./testing/faults.ts";

const http = { number: 80, name: "http", protocol: "HTTP" };
const https = { number: 443, name: "https", protocol: "HTTPS" };
const faultsOf = (servers: readonly object[], name = "edge") =>
  faultLines(checkGateway({ name, spec: { servers } }).faults);
const tlsFaults = (tls: object) => faultsOf([{ port: https, hosts: ["*"], tls }]);

describe("checkGateway", () => {
  it.each([
    ["a port of HTTP for every host", { port: http, hosts: ["*"] }],
    ["hosts of namespaces", { port: http, hosts: ["*/a.test", "./*.test", "shop/b.test", "10.0.0.1"] }],
    ["a Unix socket", { port: { ...http, number: 0 }, bind: "unix:///run/edge", hosts: ["*"] }],
    ["a redirect to HTTPS", { port: http, hosts: ["*"], tls: { httpsRedirect: true } }],
    ["TLS by a credential", { port: https, hosts: ["*"], tls: { mode: "SIMPLE", credentialName: "edge" } }],
    ["TLS that passes", { port: { ...https, protocol: "TLS" }, hosts: ["a.test"], tls: { mode: "PASSTHROUGH" } }],
    ["certificates of the mesh", { port: https, hosts: ["*"], tls: { mode: "ISTIO_MUTUAL" } }],
  ])("accepts %s", (_name, server) => {
    expect(faultsOf([server])).toEqual([]);
  });

  it.each([
    [{ hosts: ["*"] }, "error spec.servers.0.port: is required"],
    [{ port: http }, "error spec.servers.0.hosts: at least one host"],
    [{ port: { ...http, number: 0 }, hosts: ["*"] }, "error spec.servers.0.port.number: port 0"],
    [{ port: { ...http, protocol: "h2c" }, hosts: ["*"] }, "error spec.servers.0.port.protocol"],
    [{ port: { ...http, name: "" }, hosts: ["*"] }, "error spec.servers.0.port.name: is required"],
    [{ port: { ...http, targetPort: 1 }, hosts: ["*"] }, "rejected spec.servers.0.port.targetPort"],
    [{ port: http, hosts: ["short"] }, 'error spec.servers.0.hosts.0: "short" is a short name'],
    [{ port: http, hosts: ["shop/"] }, "lacks the namespace or the host"],
    [{ port: http, hosts: ["~/a.test"] }, 'error spec.servers.0.hosts.0: "~" is not a DNS label'],
    [{ port: http, hosts: ["*x.test"] }, "has a wildcard that is not a whole label"],
    [{ port: http, hosts: ["*"], bind: "edge" }, 'error spec.servers.0.bind: "edge" is not an IP address'],
    [{ port: http, hosts: ["*"], bind: "unix:///run/a" }, "the number must be 0"],
    [{ port: https, hosts: ["*"] }, "error spec.servers.0.tls: a port of HTTPS needs it"],
    [{ port: http, hosts: ["*"], tls: { mode: "SIMPLE", credentialName: "a" } }, "only httpsRedirect fits"],
    [{ port: { ...http, protocol: "TCP" }, hosts: ["*"], tls: {} }, "a port of TCP has no TLS"],
    [
      { port: https, hosts: ["*"], tls: { mode: "SIMPLE", credentialName: "a", httpsRedirect: true } },
      "warning spec.servers.0.tls.httpsRedirect: has no effect",
    ],
  ])("reports of %j: %s", (server, fault) => {
    expect(faultsOf([server])).toContainEqual(expect.stringContaining(fault));
  });

  it("wants servers, a name without dots, and ports of different names", () => {
    expect(faultsOf([])).toContainEqual(expect.stringContaining("at least one server"));
    expect(faultsOf([{ port: http, hosts: ["*"] }], "a.b")).toContainEqual(expect.stringContaining("metadata.name"));
    const twice = faultsOf([
      { port: http, hosts: ["*"] },
      { port: { ...http, number: 81 }, hosts: ["*"] },
    ]);
    expect(twice).toEqual(['error spec.servers.1.port.name: another port is named "http"']);
  });
});

describe("TLS that a gateway ends", () => {
  const files = { serverCertificate: "/c.pem", privateKey: "/k.pem" };

  it.each([
    { mode: "SIMPLE", ...files },
    { mode: "MUTUAL", ...files, caCertificates: "/ca.pem", caCrl: "/crl.pem" },
    { mode: "SIMPLE", tlsCertificates: [files, files] },
    { mode: "MUTUAL", credentialNames: ["a", "b"] },
    { mode: "SIMPLE", credentialName: "a", cipherSuites: ["ALL", "-x", "AES128-SHA"] },
  ])("accepts %j", (tls) => {
    expect(tlsFaults(tls)).toEqual([]);
  });

  it.each([
    [{ mode: "SIMPLE" }, "error spec.servers.0.tls.serverCertificate: mode SIMPLE needs it"],
    [{ mode: "SIMPLE", serverCertificate: "/c" }, "error spec.servers.0.tls.privateKey: mode SIMPLE needs it"],
    [{ mode: "SIMPLE", tlsCertificates: [{ privateKey: "/k" }] }, "tls.tlsCertificates.0.serverCertificate"],
    [{ mode: "SIMPLE", tlsCertificates: [files, files, files] }, "warning spec.servers.0.tls.tlsCertificates"],
    [{ mode: "OPTIONAL_MUTUAL", ...files }, "error spec.servers.0.tls.caCertificates"],
    [{ mode: "SIMPLE", ...files, caCrl: "/crl" }, "error spec.servers.0.tls.caCrl: has no use with mode SIMPLE"],
    [{ mode: "PASSTHROUGH", credentialName: "a", caCrl: "/crl" }, "error spec.servers.0.tls.caCrl: cannot stand"],
    [{ mode: "SIMPLE", ...files, credentialName: "a" }, 'cannot stand beside "serverCertificate"'],
    [{ mode: "ISTIO_MUTUAL", privateKey: "/k" }, "error spec.servers.0.tls.privateKey: ISTIO_MUTUAL"],
    [{ mode: "AUTO_PASSTHROUGH", caCrl: "/crl" }, "warning spec.servers.0.tls.caCrl: has no effect"],
    [{ mode: "SIMPLE", ...files, minProtocolVersion: "TLSV1_1" }, "warning spec.servers.0.tls.minProtocolVersion"],
    [{ mode: "SIMPLE", ...files, cipherSuites: ["WEAK"] }, '"WEAK" is not a known cipher suite'],
    [{ mode: "SIMPLE", ...files, cipherSuites: ["AES256-SHA", "AES256-SHA"] }, "is named twice"],
  ])("reports of %j: %s", (tls, fault) => {
    expect(tlsFaults(tls)).toContainEqual(expect.stringContaining(fault));
  });
});
