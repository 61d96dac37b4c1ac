import { registryId, serviceKey } from "@signalbox/model";
import type { Port, Protocol } from "@signalbox/model";
import { describe, expect, it } from "vitest";
import { migrationReport } from "./migration-report.ts";
import type { BlockerCode, MigrationCandidate, MigrationInput, MigrationSide } from "./report.ts";

const old = registryId("eureka", "dc1");
const next = registryId("kubernetes", "shop");
const minute = 60_000;

function candidate(address: string, more: Partial<MigrationCandidate> = {}): MigrationCandidate {
  return {
    registry: old,
    object: "APP ORDERS",
    id: address,
    servicePort: "http",
    address,
    reported: { healthStatus: "HEALTHY", weight: 1 },
    outcome: { stage: "merge", code: "SERVED", detail: "" },
    findings: [],
    ...more,
  };
}

function port(number: number, protocol: Protocol = "HTTP", name = "http"): Port {
  return { name, number, protocol };
}

function side(
  registries: string,
  candidates: readonly MigrationCandidate[],
  more: Partial<MigrationSide> = {},
): MigrationSide {
  const registry = registries === "eureka/*" ? old : next;
  return {
    registries,
    sources: [{ id: registry, state: "SYNCED" }],
    candidates: candidates.map((one) => ({ ...one, registry })),
    ports: [port(80)],
    ...more,
  };
}

const a = candidate("10.0.0.1:8080");
const b = candidate("10.0.0.2:8080");
const c = candidate("10.0.0.3:8080");

function input(more: Partial<MigrationInput> = {}): MigrationInput {
  return {
    service: serviceKey({ namespace: "shop", hostname: "orders" }),
    from: side("eureka/*", [a, b]),
    to: side("kubernetes/*", [a, b]),
    now: 100 * minute,
    paritySince: 0,
    rules: { parity: 1, forMs: 10 * minute },
    ...more,
  };
}

function weighted(address: string, weight: number): MigrationCandidate {
  return candidate(address, { reported: { healthStatus: "HEALTHY", weight } });
}

const ghost = { stage: "drift", code: "GHOST", detail: "no pod has 10.0.0.2" } as const;

describe("a migration report", () => {
  it("says that a service is ready when both sides have said the same for long enough", () => {
    expect(migrationReport(input())).toEqual({
      service: "shop/orders",
      from: "eureka/*",
      to: "kubernetes/*",
      parity: 1,
      shared: 2,
      onlyInFrom: [],
      onlyInTo: [],
      portDeltas: [],
      protocolDeltas: [],
      labelDeltas: [],
      spread: { version: [{ value: "", from: 2, to: 2 }], zone: [{ value: "", from: 2, to: 2 }] },
      secondsInParity: 6000,
      ready: true,
      blockers: [],
    });
  });

  it("lists what only one side has, with verdict and outcome", () => {
    const from = side("eureka/*", [b, a, { ...c, findings: [{ stage: "drift", code: "GHOST", since: 1 }] }]);
    const shadow = { stage: "merge", code: "SHADOW", detail: "" } as const;
    const to = side("kubernetes/*", [a, candidate("10.0.0.9:8080", { outcome: shadow })]);
    const report = migrationReport(input({ from, to }));
    expect(report.parity).toBe(0.25);
    expect(report.onlyInFrom).toEqual([
      { registry: old, address: "10.0.0.2:8080", servicePort: "http", outcome: "SERVED" },
      { registry: old, address: "10.0.0.3:8080", servicePort: "http", verdict: "GHOST", outcome: "SERVED" },
    ]);
    expect(report.onlyInTo).toEqual([
      { registry: next, address: "10.0.0.9:8080", servicePort: "http", outcome: "SHADOW" },
    ]);
    expect(report.secondsInParity).toBe(0);
  });

  it("counts an address once, however many registries and ports tell of it", () => {
    const twice = [a, { ...a, servicePort: "admin" }, b];
    expect(migrationReport(input({ from: side("eureka/*", twice) }))).toMatchObject({ parity: 1, shared: 2 });
  });

  it("names ports that one side has not, or calls otherwise, and protocols that differ", () => {
    const from = side("eureka/*", [a], { ports: [port(80), port(9090, "GRPC", "grpc"), port(81, "TCP", "x")] });
    const to = side("kubernetes/*", [a], {
      ports: [port(80, "HTTP2"), port(9090, "GRPC", "rpc"), port(82, "TCP", "y")],
    });
    const report = migrationReport(input({ from, to }));
    expect(report.portDeltas).toEqual([
      { number: 81, from: "x" },
      { number: 82, to: "y" },
      { number: 9090, from: "grpc", to: "rpc" },
    ]);
    expect(report.protocolDeltas).toEqual([{ number: 80, from: "HTTP", to: "HTTP2" }]);
  });

  it("compares labels of shared endpoints, also those that are called as a member of every object is", () => {
    const before = { version: "v1", toString: "x", same: "1" };
    const from = side("eureka/*", [
      { ...a, labels: before },
      { ...b, labels: { only: "here" } },
    ]);
    const to = side("kubernetes/*", [{ ...a, labels: { version: "v2", same: "1", extra: "e" } }]);
    expect(migrationReport(input({ from, to })).labelDeltas).toEqual([
      { address: "10.0.0.1:8080", label: "extra", to: "e" },
      { address: "10.0.0.1:8080", label: "toString", from: "x" },
      { address: "10.0.0.1:8080", label: "version", from: "v1", to: "v2" },
    ]);
  });

  it("shows the spread by version and zone", () => {
    const at = (zone: string) => ({ region: "", zone, subzone: "" });
    const from = side("eureka/*", [
      { ...a, labels: { version: "v1" }, locality: at("z1") },
      { ...b, labels: {}, locality: at("z2") },
    ]);
    const to = side("kubernetes/*", [{ ...a, labels: { version: "v1" }, locality: at("z2") }]);
    expect(migrationReport(input({ from, to })).spread).toEqual({
      version: [
        { value: "", from: 1, to: 0 },
        { value: "v1", from: 1, to: 1 },
      ],
      zone: [
        { value: "z1", from: 1, to: 0 },
        { value: "z2", from: 1, to: 1 },
      ],
    });
  });
});

describe("what stands in the way", () => {
  const cases: { name: string; given: Partial<MigrationInput>; blockers: [BlockerCode, string][] }[] = [
    {
      name: "too few endpoints in common",
      given: { to: side("kubernetes/*", [a]) },
      blockers: [["PARITY_BELOW", "parity is 0.5, the rules ask for 1"]],
    },
    {
      name: "no endpoints at all, though two empty sets are equal",
      given: { from: side("eureka/*", []), to: side("kubernetes/*", []) },
      blockers: [["PARITY_BELOW", "neither side has an endpoint"]],
    },
    {
      name: "a parity that is young",
      given: { paritySince: 91 * minute },
      blockers: [["PARITY_TOO_SHORT", "parity is 1, it has held for 540 s, the rules ask for 600 s"]],
    },
    {
      name: "a parity that nobody has watched",
      given: { paritySince: undefined as never },
      blockers: [["PARITY_TOO_SHORT", "parity is 1, nobody has watched it yet, the rules ask for 600 s"]],
    },
    {
      name: "an impostor, though both sides tell of it",
      given: { from: side("eureka/*", [a, { ...b, findings: [{ stage: "drift", code: "IMPOSTOR", since: 1 }] }]) },
      blockers: [["IMPOSTOR_PRESENT", "10.0.0.2:8080"]],
    },
    {
      name: "a ghost that drift took out",
      given: { from: side("eureka/*", [a, { ...b, outcome: ghost }]) },
      blockers: [["GHOST_PRESENT", "10.0.0.2:8080"]],
    },
    {
      name: "a protocol that the target does not know",
      given: { to: side("kubernetes/*", [a, b], { ports: [port(80, "UNSUPPORTED")] }) },
      blockers: [["PROTOCOL_UNKNOWN", "kubernetes/* says no protocol of 80 (http)"]],
    },
    {
      name: "another protocol",
      given: { to: side("kubernetes/*", [a, b], { ports: [port(80, "TCP")] }) },
      blockers: [["PROTOCOL_DIFFERS", "port 80 is HTTP before and TCP after"]],
    },
    {
      name: "a port that the target has not",
      given: { to: side("kubernetes/*", [a, b], { ports: [port(81)] }) },
      blockers: [["PORT_MISSING", "kubernetes/* has no port 80 (http)"]],
    },
    {
      name: "hostnames without an address",
      given: { unresolvable: ["b.example", "a.example", "a.example"] },
      blockers: [
        ["HOSTNAME_UNRESOLVABLE", "a.example has no address"],
        ["HOSTNAME_UNRESOLVABLE", "b.example has no address"],
      ],
    },
    {
      name: "weights that the target does not keep",
      given: { from: side("eureka/*", [weighted("10.0.0.1:8080", 3), weighted("10.0.0.2:8080", 1)]) },
      blockers: [["WEIGHT_UNMAPPED", "10.0.0.1:8080 has the weight 3 of 4 before and 1 of 2 after"]],
    },
    {
      name: "a source that is old, and one that is not there",
      given: {
        from: side("eureka/*", [a, b], { sources: [{ id: "eureka/dc1", state: "STALE" }] }),
        to: side("kubernetes/*", [a, b], { sources: [] }),
      },
      blockers: [
        ["SOURCE_NOT_SYNCED", "eureka/dc1 is STALE"],
        ["SOURCE_NOT_SYNCED", "there is no source kubernetes/*"],
      ],
    },
    {
      name: "a consumer that is not in the list",
      given: { consumers: ["web", "batch"], rules: { parity: 1, forMs: 0, consumers: ["web"] } },
      blockers: [["CONSUMER_UNKNOWN", "batch calls the service and is not in the list"]],
    },
  ];

  it.each(cases)("is $name", ({ given, blockers }) => {
    const report = migrationReport(input(given));
    expect(report.blockers.map(({ code, detail }) => [code, detail])).toEqual(blockers);
    expect(report.ready).toBe(false);
  });

  const harmless: { name: string; given: Partial<MigrationInput> }[] = [
    {
      name: "weights in the same proportions",
      given: {
        from: side("eureka/*", [weighted("10.0.0.1:8080", 3), weighted("10.0.0.2:8080", 1)]),
        to: side("kubernetes/*", [weighted("10.0.0.1:8080", 300), weighted("10.0.0.2:8080", 100)]),
      },
    },
    {
      name: "weights that only the target sets",
      given: { to: side("kubernetes/*", [weighted("10.0.0.1:8080", 3), weighted("10.0.0.2:8080", 1)]) },
    },
    {
      name: "a port that only the target has",
      given: { to: side("kubernetes/*", [a, b], { ports: [port(80), port(81)] }) },
    },
    {
      name: "consumers where no list says who is known",
      given: { consumers: ["web"] },
    },
    {
      name: "one endpoint less where the rules allow it",
      given: { to: side("kubernetes/*", [a]), rules: { parity: 0.5, forMs: 0 } },
    },
  ];

  it.each(harmless)("is not $name", ({ given }) => {
    expect(migrationReport(input(given))).toMatchObject({ ready: true, blockers: [] });
  });

  it("never shows a parity as whole that is not", () => {
    const many = Array.from({ length: 2000 }, (_, at) => candidate(`10.1.${at >> 8}.${at & 255}:80`));
    const report = migrationReport(input({ from: side("eureka/*", many), to: side("kubernetes/*", many.slice(1)) }));
    expect(report.blockers).toEqual([{ code: "PARITY_BELOW", detail: "parity is 0.999, the rules ask for 1" }]);
  });

  it("names five addresses at most", () => {
    const ghosts = Array.from({ length: 7 }, (_, at) => candidate(`10.0.1.${at}:80`, { outcome: ghost }));
    const report = migrationReport(input({ from: side("eureka/*", ghosts) }));
    expect(report.blockers.find(({ code }) => code === "GHOST_PRESENT")?.detail).toBe(
      "10.0.1.0:80, 10.0.1.1:80, 10.0.1.2:80, 10.0.1.3:80, 10.0.1.4:80 and 2 more",
    );
  });
});
