import { ConfigError, formatPath } from "@signalbox/registry";
import { describe, expect, it } from "vitest";
import { checkConfig, isLoopback, parseConfig } from "./check.ts";

describe("checking a configuration", () => {
  it("fills in every default of an empty one", () => {
    expect(parseConfig({})).toEqual({
      registries: [],
      rules: [],
      identity: [],
      services: [],
      guards: { registries: ["eureka/*", "consul/*"] },
      api: { replicas: 1 },
      mesh: {},
      bus: { type: "in-process" },
      xds: { plaintext: { host: "127.0.0.1", port: 15010 }, insecure: false, drainMs: 1000, limits: {}, vhds: true },
      debug: { host: "127.0.0.1", port: 15014, allowedHosts: [], profile: false },
      log: { level: "info", format: "auto" },
      aggregate: { debounce: { quietMs: 50, maxMs: 1000, endpointsMaxMs: 50 }, syncDeadlineMs: 30_000 },
    });
  });

  it("keeps the keys of a registry's own provider", () => {
    const entry = { provider: "static", name: "a", paths: ["x.yaml"] };
    const defaults = {
      ...{ staleAfter: "5m", expireAfter: "never", onExpired: "keep", startPolicy: "proceed-partial" },
    };
    expect(parseConfig({ registries: [entry] }).registries).toEqual([{ ...entry, ...defaults }]);
  });

  it("turns servers off with false", () => {
    const { debug, xds } = parseConfig({ debug: false, xds: { plaintext: false } });
    expect([debug, xds.plaintext]).toEqual([false, false]);
  });

  it.each([
    {
      name: "an unknown key near a known one",
      data: { regstries: [] },
      faults: ['regstries: unknown key; did you mean "registries"?'],
    },
    {
      name: "an unknown key far from all",
      data: { bus: { zzz: 1 } },
      faults: [
        "bus.zzz: unknown key; known here: credentials, name, password, replicas, servers, tls, token, type, url, username",
      ],
    },
    {
      name: "an unknown key where one of several maps may be",
      data: { services: [{ match: "*", merge: { splitt: { "static/a": 1 } } }] },
      faults: ['services[0].merge.splitt: unknown key; did you mean "split"?'],
    },
    {
      name: "a wrong type where one of several maps may be",
      data: { services: [{ match: "*", merge: { prefer: "static/a" } }] },
      faults: ['services[0].merge.prefer: must be a list, not "static/a"'],
    },
    {
      name: "a slip of a value where one of several maps may be",
      data: { services: [{ match: "*", merge: { split: { "static/a": 1 }, onEmpty: "spil" } }] },
      faults: ['services[0].merge.onEmpty: must be one of spill, blackhole, not "spil"; did you mean "spill"?'],
    },
    {
      name: "keys of several maps of which one may be",
      data: { services: [{ match: "*", merge: { prefer: ["static/a"], authoritative: "static/a" } }] },
      faults: ["services[0].merge: has keys of which only one can be there: prefer, authoritative"],
    },
    {
      name: "an unknown key inside a union",
      data: { debug: { prot: 1 } },
      faults: ['debug.prot: unknown key; did you mean "port"?'],
    },
    {
      name: "a slip in a name that is needed",
      data: { registries: [{ provider: "static", nmae: "a", paths: [] }] },
      faults: ['registries[0].nmae: unknown key; did you mean "name"?'],
    },
    {
      name: "a slip in a name that is needed where no other keys are let through, once",
      data: { xds: { files: { dri: "/x", node: "a" } } },
      faults: ['xds.files.dri: unknown key; did you mean "dir"?'],
    },
    {
      name: "a cluster of drift that is no registry's id, and a range that is none",
      data: { drift: { clusters: [{ registry: "kubernetes", podCidrs: ["10.0.0.0/99"] }] } },
      faults: [
        "drift.clusters[0].registry: kubernetes is no registry's id, such as kubernetes/main",
        "drift.clusters[0].podCidrs[0]: 10.0.0.0/99 is no range, such as 10.40.0.0/16",
      ],
    },
    { name: "a missing key", data: { registries: [{ name: "a" }] }, faults: ["registries[0].provider: is missing"] },
    { name: "a wrong type", data: { registries: {} }, faults: ["registries: must be a list, not a map"] },
    { name: "text for a number", data: { debug: { port: "1" } }, faults: ['debug.port: must be a number, not "1"'] },
    {
      name: "a port out of range",
      data: { debug: { port: 65536 } },
      faults: ["debug.port: must be at most 65535, not 65536"],
    },
    {
      name: "a value that is not one of the known",
      data: { log: { level: "wran" } },
      faults: ['log.level: must be one of debug, info, warn, error, silent, not "wran"; did you mean "warn"?'],
    },
    {
      name: "another kind of bus",
      data: { bus: { type: "kafka" } },
      faults: ['bus.type: must be one of in-process, nats, redis, not "kafka"'],
    },
    {
      name: "neither false nor a map",
      data: { debug: true },
      faults: ["debug: must be false or a map, not true"],
    },
    { name: "an empty section", data: { debug: null }, faults: ["debug: must be false or a map, not empty"] },
    {
      name: "a name that is no name",
      data: { registries: [{ provider: "static", name: "a/b" }] },
      faults: ["registries[0].name: lower-case letters, digits, '-' and '.', at most 63 characters"],
    },
    {
      name: "one id twice",
      data: {
        registries: [
          { provider: "static", name: "a" },
          { provider: "static", name: "a" },
        ],
      },
      faults: ["registries[1].name: static/a is taken by registries[0]"],
    },
    {
      name: "the same rules twice",
      data: { rules: [{ files: "x" }, { files: ["x"] }] },
      faults: ["rules[1].files: the same files as in rules[0]"],
    },
    {
      name: "rules from Kubernetes",
      data: { rules: [{ kubernetes: {} }] },
      faults: [
        "rules[0].kubernetes: is not read here: a registry with provider kubernetes reads the cluster's Istio objects beside its services; add it to registries",
      ],
    },
    { name: "rules from nowhere", data: { rules: [{}] }, faults: ["rules[0]: needs exactly one of files, kubernetes"] },
    {
      name: "plaintext beyond loopback",
      data: { xds: { plaintext: { host: "0.0.0.0" } } },
      faults: [
        "xds.plaintext.host: 0.0.0.0 is not loopback: use xds.tls, or set xds.insecure to true if the network is trusted",
      ],
    },
    {
      name: "half of the TLS files",
      data: { xds: { tls: { cert: "a", ca: { path: "b" } } } },
      faults: [
        "xds.tls.key: is missing",
        "xds.tls.ca.file: is missing",
        "xds.tls.ca.path: unknown key; known here: file",
      ],
    },
    {
      name: "a quiet time longer than the maximum",
      data: { aggregate: { debounce: { quietMs: 20, maxMs: 10 } } },
      faults: ["aggregate.debounce.quietMs: must not exceed maxMs (10)"],
    },
    {
      name: "a duration without a unit",
      data: { mesh: { connectTimeout: "10" } },
      faults: ['mesh.connectTimeout: must be a duration such as "10s", "250ms" or "1m30s"'],
    },
    {
      name: "a registry that expires before it is stale",
      data: { registries: [{ provider: "static", name: "a", expireAfter: "1m" }] },
      faults: ["registries[0].expireAfter: must not be shorter than staleAfter (5m)"],
    },
    {
      name: "a state folder that is saved never",
      data: { state: { dir: "x", saveEvery: "never" } },
      faults: ['state.saveEvery: must be a duration such as "10s", "1m30s" or "12h"'],
    },
    { name: "a list instead of a map", data: [], faults: ["(root): must be a map, not a list"] },
  ])("refuses $name", ({ data, faults }) => {
    expect(() => parseConfig(data)).toThrow(new ConfigError(checkConfig(data).faults ?? []));
    expect(checkConfig(data).faults?.map((fault) => `${formatPath(fault.path)}: ${fault.message}`)).toEqual(faults);
  });

  it("allows plaintext beyond loopback when it is asked for", () => {
    expect(parseConfig({ xds: { insecure: true, plaintext: { host: "0.0.0.0" } } }).xds.insecure).toBe(true);
  });

  it("takes text for a number only where an environment variable was put in", () => {
    const data = { debug: { port: "15" }, xds: { plaintext: { port: "16" }, insecure: "true" } };
    const places = [
      ["debug", "port"],
      ["xds", "plaintext", "port"],
      ["xds", "insecure"],
    ].map((place) => JSON.stringify(place));
    expect(checkConfig(data, new Set(places)).config).toMatchObject({
      debug: { port: 15 },
      xds: { plaintext: { port: 16 }, insecure: true },
    });
    expect(checkConfig(data, new Set(places.slice(1))).faults?.map((fault) => fault.path)).toEqual([["debug", "port"]]);
  });

  it.each([
    ["127.0.0.1", true],
    ["127.8.9.10", true],
    ["::1", true],
    ["localhost", true],
    ["0.0.0.0", false],
    ["127.0.0.1.example.com", false],
    ["::", false],
  ])("%s is loopback: %s", (host, expected) => {
    expect(isLoopback(host)).toBe(expected);
  });
});
