import { describe, expect, it } from "vitest";
import { checkDestinationRule } from "./destination-rule.ts";
import { objectOf } from "./testing/valid-objects.ts";

function faultsOf(spec: object): readonly string[] {
  return checkDestinationRule(objectOf("DestinationRule", { host: "web", ...spec })).faults.map(
    ({ message, path, severity }) => `${severity} ${path.slice(1).join(".")}: ${message}`,
  );
}

const outlierDetection = { interval: "1s" };
const withBalancer = (loadBalancer: object) => faultsOf({ trafficPolicy: { loadBalancer, outlierDetection } });
const distribute = (...shares: readonly (readonly [string, object])[]) =>
  withBalancer({ localityLbSetting: { distribute: shares.map(([from, to]) => ({ from, to })) } });

describe("checkDestinationRule", () => {
  it.each([
    [{ host: "*" }],
    [{ host: "*.example.com", workloadSelector: { matchLabels: { app: "a" } }, exportTo: ["."] }],
    [{ subsets: [{ name: "v1" }, { name: "v2", labels: { version: "v2" } }] }],
    [{ trafficPolicy: { retryBudget: { percent: 20 } } }],
    [{ trafficPolicy: { tls: { mode: "MUTUAL", credentialName: "kubernetes://web", insecureSkipVerify: true } } }],
    [{ trafficPolicy: { tls: { mode: "ISTIO_MUTUAL", insecureSkipVerify: true, caCertificates: "/ca.pem" } } }],
    [{ trafficPolicy: { connectionPool: { tcp: { idleTimeout: "0s" } } } }],
    [{ trafficPolicy: { tunnel: { targetHost: "10.0.0.1", targetPort: 80 } } }],
  ])("takes %j", (spec) => {
    expect(faultsOf(spec)).toEqual([]);
  });

  it.each([
    [{ host: "" }, "error host: "],
    [{ exportTo: ["~"] }, "error exportTo.0: "],
    [{ workloadSelector: {} }, "warning workloadSelector: has no labels"],
    [{ workloadSelector: { matchLabels: { a: "b*" } } }, "error workloadSelector.matchLabels.a: wildcards"],
    [
      { workloadSelector: { matchLabels: { a: "b" } }, exportTo: ["other"] },
      "error exportTo.0: a rule with a workload",
    ],
    [{ subsets: [{ name: "a" }, { name: "a" }] }, 'error subsets.1.name: another subset is named "a"'],
    [{ subsets: [{ labels: { a: "b" } }] }, "error subsets.0.name: is required"],
    [{ subsets: [{ name: "a", labels: { "a b": "c" } }] }, "error subsets.0.labels.a b: "],
    [{ subsets: [{ name: "a", trafficPolicy: {} }] }, "error subsets.0.trafficPolicy: needs at least one setting"],
    [
      { trafficPolicy: { portLevelSettings: [{ tls: {} }] } },
      "error trafficPolicy.portLevelSettings.0.port: is required",
    ],
    [{ trafficPolicy: { portLevelSettings: [{ port: { number: 1 } }] } }, "portLevelSettings.0: needs at least one"],
    [{ trafficPolicy: { tls: { mode: "TLS" } } }, "error trafficPolicy.tls.mode: must be one of"],
  ])("of %j it says: %s", (spec, fault) => {
    expect(faultsOf(spec)).toEqual([expect.stringContaining(fault)]);
  });

  const tunnel = { targetHost: "a", targetPort: 80 };
  it.each([
    [{ tunnel, proxyProtocol: { version: "V1" } }, "error proxyProtocol: cannot stand beside tunnel"],
    [{ tunnel: { ...tunnel, protocol: "PUT" } }, "error tunnel.protocol: must be CONNECT or POST"],
    [{ tunnel: { ...tunnel, targetHost: "*.a" } }, "error tunnel.targetHost: "],
    [{ tunnel: { targetHost: "a" } }, "error tunnel.targetPort: port 0"],
    [{ proxyProtocol: { version: "V3" } }, "error proxyProtocol.version: must be one of"],
    [{ outlierDetection: { maxEjectionPercent: 101 } }, "error outlierDetection.maxEjectionPercent: must be"],
    [{ outlierDetection: { minHealthPercent: -1 } }, "error outlierDetection.minHealthPercent: must be"],
    [{ outlierDetection: { interval: "0s" } }, "error outlierDetection.interval: must be at least 1ms"],
    [{ outlierDetection: { consecutiveErrors: 5 } }, "warning outlierDetection.consecutiveErrors: is out of date"],
    [
      { outlierDetection: { consecutiveLocalOriginFailures: 5 } },
      "error outlierDetection.consecutiveLocalOriginFailures",
    ],
    [{ connectionPool: {} }, "error connectionPool: needs http or tcp"],
    [{ connectionPool: { http: { maxRetries: -1 } } }, "error connectionPool.http.maxRetries: must not be negative"],
    [{ connectionPool: { http: { maxConcurrentStreams: -1 } } }, "error connectionPool.http.maxConcurrentStreams"],
    [{ connectionPool: { http: { idleTimeout: "1.5ms" } } }, "error connectionPool.http.idleTimeout: must be whole"],
    [
      { connectionPool: { http: { h2UpgradePolicy: "UPGRADE", useClientProtocol: true } } },
      "error connectionPool.http.useClientProtocol: cannot stand",
    ],
    [
      { connectionPool: { http: { http2KeepAlive: { interval: "1s" } } } },
      "error connectionPool.http.http2KeepAlive.timeout: is required",
    ],
    [
      { connectionPool: { tcp: { connectTimeout: "0s" } } },
      "error connectionPool.tcp.connectTimeout: must be at least",
    ],
    [{ connectionPool: { tcp: { tcpKeepalive: { time: "0s" } } } }, "error connectionPool.tcp.tcpKeepalive.time: "],
    [{ tls: { mode: "MUTUAL", privateKey: "/k.pem" } }, "error tls.clientCertificate: is required for mode MUTUAL"],
    [{ tls: { mode: "SIMPLE", credentialName: "a", caCrl: "/crl.pem" } }, "error tls.caCrl: cannot stand beside"],
    [{ tls: { mode: "SIMPLE", credentialName: "a", insecureSkipVerify: true } }, "error tls.credentialName: cannot"],
    [
      { tls: { mode: "SIMPLE", subjectAltNames: ["a"], insecureSkipVerify: true } },
      "error tls.subjectAltNames: cannot",
    ],
    [{ tls: { mode: "SIMPLE", credentialName: "configmap://other/ca" } }, "of the object's own namespace, shop"],
    [{ tls: { mode: "SIMPLE", credentialName: "configmap://shop" } }, "must be configmap://NAMESPACE/NAME"],
  ])("of the policy %j it says: %s", (trafficPolicy, fault) => {
    const [severity, rest = ""] = fault.split(/ (.*)/su);
    const placed = /^(?:error|warning)$/.test(severity ?? "") ? `${severity} trafficPolicy.${rest}` : fault;
    expect(faultsOf({ trafficPolicy })).toEqual([expect.stringContaining(placed)]);
  });
});

describe("checkDestinationRule: load balancing", () => {
  it.each([
    [{ simple: "RANDOM" }],
    [{ consistentHash: { maglev: { tableSize: 1 } } }],
    [{ consistentHash: { httpCookie: { name: "a" }, maglev: { tableSize: 4_999_999 } } }],
    [
      {
        localityLbSetting: { failover: [{ from: "a", to: "b" }], failoverPriority: ["topology.kubernetes.io/zone=a"] },
      },
    ],
    [{ warmup: { duration: "1s" } }],
  ])("takes %j", (balancer) => {
    expect(withBalancer(balancer)).toEqual([]);
  });

  const topology = ["topology.kubernetes.io/region"];
  it.each([
    [{ simple: "RANDOM", consistentHash: { useSourceIp: true } }, 'cannot stand beside "simple"'],
    [{ consistentHash: { httpCookie: {} } }, "httpCookie.name: is required"],
    [{ consistentHash: { httpCookie: { name: "a", attributes: [{ value: "b" }] } } }, "attributes.0.name: is required"],
    [
      { consistentHash: { httpCookie: { name: "a", attributes: [{ name: "b" }, { name: "b" }] } } },
      'attributes.1.name: another attribute is named "b"',
    ],
    [{ consistentHash: { minimumRingSize: 5 } }, "warning trafficPolicy.loadBalancer.consistentHash.minimumRingSize"],
    [{ consistentHash: { maglev: {} } }, "maglev.tableSize: is required"],
    [{ consistentHash: { maglev: { tableSize: 9 } } }, "maglev.tableSize: must be a prime number"],
    [{ consistentHash: { maglev: { tableSize: 5_000_011 } } }, "maglev.tableSize: must be less than 5000011"],
    [{ localityLbSetting: {}, zoneAwareLbSetting: {} }, "zoneAwareLbSetting: cannot stand beside localityLbSetting"],
    [{ zoneAwareLbSetting: { failoverPriority: topology } }, "zoneAwareLbSetting.failoverPriority.0: must not be"],
    [
      { localityLbSetting: { distribute: [{ from: "a", to: { a: 100 } }], failover: [{ from: "a", to: "b" }] } },
      "localityLbSetting.failover: cannot stand beside distribute",
    ],
    [
      { localityLbSetting: { failover: [{ from: "a", to: "b" }], failoverPriority: topology } },
      "localityLbSetting.failoverPriority.0: cannot stand beside failover",
    ],
    [{ localityLbSetting: { failover: [{ from: "a", to: "a" }] } }, "failover.0: must name two different regions"],
    [{ zoneAwareLbSetting: { failover: [{ from: "a/b", to: "c" }] } }, "failover.0: takes regions only"],
    [{ localityLbSetting: { failover: [{ from: "*", to: "c" }] } }, "failover.0: takes no wildcards"],
    [{ warmup: {} }, "warmup.duration: is required"],
    [{ warmup: { duration: "1s", minimumPercent: 101 } }, "warmup.minimumPercent: must be at most 100"],
    [{ warmup: { duration: "1s", aggression: 0 } }, "warmup.aggression: must be greater than 0"],
  ])("of %j it says: %s", (balancer, fault) => {
    expect(withBalancer(balancer)).toEqual([expect.stringContaining(fault)]);
  });

  it("warns of failover without outlier detection", () => {
    const localityLbSetting = { failoverPriority: ["tier"] };
    expect(faultsOf({ trafficPolicy: { loadBalancer: { localityLbSetting } } })).toEqual([
      "warning trafficPolicy.loadBalancer.localityLbSetting: fails over only with outlierDetection, which is not there",
    ]);
  });

  it.each([
    [[["us", { "us/a/*": 30, "us/b": 70 }]]],
    [
      [
        ["us/a/x", { us: 100 }],
        ["us/a/y", { us: 100 }],
        ["us/b/*", { us: 100 }],
      ],
    ],
    [
      [
        ["eu", { us: 100 }],
        ["*", { us: 100 }],
      ],
    ],
  ] as const)("takes the shares %j", (shares) => {
    expect(distribute(...shares)).toEqual([]);
  });

  it.each([
    [[["us", { us: 99 }]], "to: the weights must add up to 100, not to 99"],
    [[["us", { us: 100, eu: 0 }]], "to.eu: must be from 1 to 100"],
    [[["us", { us: 50, "us/a": 50 }]], 'to.us/a: "us/a" overlaps with "us" before it'],
    [[["us", { us: 50, "*": 50 }]], 'to.us: "us" overlaps with "*" before it'],
    [
      [
        ["us/a/b", { us: 100 }],
        ["us/a", { us: 100 }],
      ],
      "distribute.1.from: ",
    ],
    [
      [
        ["us/a", { us: 100 }],
        ["us", { us: 100 }],
      ],
      "distribute.1.from: ",
    ],
    [
      [
        ["us/*", { us: 100 }],
        ["us/a/b", { us: 100 }],
      ],
      'overlaps with "us/*" before it',
    ],
    [
      [
        ["us", { us: 100 }],
        ["us", { us: 100 }],
      ],
      'overlaps with "us" before it',
    ],
    [[["*/a", { us: 100 }]], "may have one * only, at its end"],
    [[["us//a", { us: 100 }]], "has an empty region, zone or subzone"],
  ] as const)("of the shares %j it says: %s", (shares, fault) => {
    expect(distribute(...shares)).toEqual([expect.stringContaining(fault)]);
  });
});
