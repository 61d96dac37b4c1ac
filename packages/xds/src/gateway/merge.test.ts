import { FaultList, readGateway } from "@signalbox/istio-objects";
import { objectKey } from "@signalbox/model";
import { describe, expect, it } from "vitest";
import { mergeGateways, type TargetPorts } from "./merge.ts";
import { object, server } from "./testing/router.ts";

const simple = { tls: { mode: "SIMPLE", credentialName: "c" } };
const passthrough = { tls: { mode: "PASSTHROUGH" } };
const redirect = { tls: { httpsRedirect: true } };

/** Ports as `bind:number route tables|server names`, tables and rejections of Gateways `edge/g0`, `edge/g1`, …, each with these servers. */
function merged(gateways: readonly (readonly object[])[], targetPorts?: TargetPorts) {
  const rules = gateways.map((servers, index) => {
    const gateway = object("Gateway", `edge/g${String(index)}`, { servers });
    return { key: objectKey(gateway), object: gateway, spec: readGateway(gateway.spec, [], new FaultList()) };
  });
  const { ports, rejected, tables } = mergeGateways(rules, targetPorts);
  return {
    ports: ports.map(({ bind, number, servers }) => `${bind}:${String(number)} ${String(servers.length)}`),
    tables: [...tables].map(([name, servers]) => `${name} ${String(servers.length)}`),
    rejected: rejected.map((one) => `${one.gateway}#${String(one.index)} ${one.reason}`),
  };
}

describe("mergeGateways", () => {
  it.each([
    ["one HTTP server", [[server("HTTP 80", ["*"])]], [":80 1"], ["http.80 1"], []],
    [
      "HTTP servers of one port, whatever kind of HTTP, in one table",
      [[server("HTTP 80", ["a.test"]), server("GRPC 80", ["b.test"])], [server("HTTP2 80", ["a.test"])]],
      [":80 3"],
      ["http.80 3"],
      [],
    ],
    [
      "HTTPS servers, each with its table",
      [
        [
          server("HTTPS 443", ["a.test"], { name: "a", ...simple }),
          server("HTTPS 443", ["b.test"], { name: "b", ...simple }),
        ],
      ],
      [":443 2"],
      ["https.443.a.g0.edge 1", "https.443.b.g0.edge 1"],
      [],
    ],
    [
      "no second HTTPS server for a host",
      [[server("HTTPS 443", ["a.test", "b.test"], simple)], [server("HTTPS 443", ["b.test"], simple)]],
      [":443 1"],
      ["https.443.https.g0.edge 1"],
      ["edge/g1#0 hosts of another server"],
    ],
    [
      "a host of two namespaces, since that is not the same",
      [[server("HTTPS 443", ["one/b.test"], simple)], [server("HTTPS 443", ["two/b.test"], simple)]],
      [":443 2"],
      ["https.443.https.g0.edge 1", "https.443.https.g1.edge 1"],
      [],
    ],
    [
      "no second port of a name in a Gateway",
      [[server("HTTPS 443", ["a.test"], simple), server("HTTPS 443", ["b.test"], simple)]],
      [":443 1"],
      ["https.443.https.g0.edge 1"],
      ["edge/g0#1 port name of another server"],
    ],
    [
      "no TCP beside HTTP",
      [[server("HTTP 80", ["*"])], [server("TCP 80", ["*"])]],
      [":80 1"],
      ["http.80 1"],
      ["edge/g1#0 protocol of another server"],
    ],
    [
      "no HTTP beside TCP, nor a second TCP",
      [[server("TCP 80", ["*"])], [server("HTTP 80", ["*"]), server("TCP 80", ["*"])]],
      [":80 1"],
      [],
      ["edge/g1#0 protocol of another server", "edge/g1#1 protocol of another server"],
    ],
    [
      "no TLS after HTTP",
      [[server("HTTP 443", ["a.test"])], [server("HTTPS 443", ["b.test"], simple)]],
      [":443 1"],
      ["http.443 1"],
      ["edge/g1#0 protocol of another server"],
    ],
    [
      "addresses apart",
      [[server("HTTP 80", ["*"], { bind: "10.0.0.1" }), server("TCP 80", ["*"], { bind: "10.0.0.2" })]],
      ["10.0.0.1:80 1", "10.0.0.2:80 1"],
      ["http.80.10.0.0.1 1"],
      [],
    ],
    [
      "TLS that is passed on, without a table",
      [[server("TLS 443", ["a.test"], passthrough), server("HTTPS 443", ["b.test"], { ...passthrough, name: "b" })]],
      [":443 2"],
      [],
      [],
    ],
    [
      "redirects of one host only once",
      [
        [server("HTTP 80", ["a.test"], redirect)],
        [server("HTTP 80", ["a.test"], redirect), server("HTTP 80", ["a.test"])],
      ],
      [":80 2"],
      ["http.80 2"],
      ["edge/g1#0 hosts of another server"],
    ],
    ["no server without a port", [[{ hosts: ["*"] }]], [], [], ["edge/g0#0 no port"]],
  ] as const)("has %s", (_case, gateways, ports, tables, rejected) => {
    expect(merged(gateways)).toEqual({ ports, tables, rejected });
  });

  it("listens where the router's service leads", () => {
    const servers = [[server("HTTP 80", ["*"]), server("HTTPS 443", ["*"], simple), server("HTTP 81", ["*"])]];
    const targets = new Map([
      [80, 8080],
      [443, 8443],
    ]);
    expect(merged(servers, targets)).toEqual({
      ports: [":8080 1", ":8443 1", ":81 1"],
      tables: ["http.8080 1", "https.443.https.g0.edge 1", "http.81 1"],
      rejected: [],
    });
  });
});
