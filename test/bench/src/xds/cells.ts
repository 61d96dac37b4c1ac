import type { Action, Cell, FigureName, Load, MeshSize, Scene, Target, Wanted } from "./cell.ts";

const mesh = (services: number, endpoints: number, more: Partial<MeshSize> = {}): MeshSize => ({
  services,
  endpoints,
  rules: 1,
  namespaces: 1,
  ...more,
});
const delta = (clients: number, action: Action, more: Partial<Load> = {}): Load => ({
  clients,
  mode: "delta",
  action,
  ...more,
});
const nothing: Action = { type: "none" };
const one = (type: "endpoint" | "rule" | "service", changes = 20): Action => ({ type, changes });

/** The same load on the product and on the peer. */
function sides(
  size: MeshSize,
  load: Load,
  more: Partial<Scene> = {},
  peerLoad: Partial<Load> = {},
): Pick<Cell, "scene" | "beside"> {
  return {
    scene: { server: { type: "product" }, mesh: size, load, ...more },
    beside: {
      server: { type: "peer", cache: "linear" },
      mesh: size,
      load: { ...load, ...peerLoad },
      ...(more.before && { before: more.before }),
      ...(more.resume !== undefined && { resume: more.resume }),
    },
  };
}

function wanted(figures: readonly FigureName[], targets: Partial<Record<FigureName, Target>> = {}): readonly Wanted[] {
  return figures.map((figure) => {
    const target = targets[figure];
    return target === undefined ? { figure } : { figure, target };
  });
}

const sync: readonly FigureName[] = [
  "sync, all clients",
  "sync, CPU",
  "sync, CPU per MB",
  "sync, bytes per client",
  "resident memory",
];
const change: readonly FigureName[] = [
  "change to client, p50",
  "change to client, p99",
  "change to client, lost",
  "CPU per change",
  "bytes per change and client",
];
const churn: readonly FigureName[] = [
  "change to client, p50",
  "change to client, p99",
  "change to client, lost",
  "CPU per change",
  "newest value at all after",
  "resident memory",
];
const sent: readonly FigureName[] = [
  "clusters sent per change",
  "assignments sent per change",
  "listeners sent per change",
  "route tables sent per change",
  "virtual hosts sent per change",
];
const none: Target = { value: 0 };
const lost: Partial<Record<FigureName, Target>> = { "change to client, lost": none };

const rulesWorld = (services: number, rules: number): Scene => ({
  server: { type: "product" },
  mesh: mesh(services, 10, { rules, namespaces: 20 }),
  load: delta(100, one("rule", 10)),
});
const files = (services: number, clients: number, bus: "in-process" | "nats" | "redis" = "in-process"): Scene => ({
  server: { type: "files", bus },
  mesh: mesh(services, 10),
  load: delta(clients, one("endpoint", 15)),
});
const steady: Action = { type: "churn", changes: 6000, perSecond: 100 };

/** All cells. Those without `onlyByName` are measured when none is named. */
export const cells: readonly Cell[] = [
  {
    name: "sync-restart",
    about: "100 clients come to a server that has just started, 1,000 × 10, delta",
    ...sides(mesh(1000, 10), delta(100, nothing)),
    wanted: wanted(sync, { "sync, all clients": { ratio: 1.5 }, "sync, CPU per MB": { ratio: 1 } }),
    seconds: 7,
  },
  {
    name: "sync-warm",
    about: "100 clients come to a server that has served others before, 1,000 × 10, delta",
    ...sides(mesh(1000, 10), delta(100, nothing), { before: { clients: 10 } }),
    wanted: wanted(sync),
    seconds: 8,
  },
  {
    name: "sync-sotw",
    about: "the same after a start, state of the world",
    ...sides(mesh(1000, 10), delta(100, nothing, { mode: "sotw" })),
    wanted: wanted(sync),
    seconds: 5,
  },
  {
    name: "sync-resume",
    about: "100 delta clients that hold everything come to a server that has just started, 1,000 × 10",
    ...sides(mesh(1000, 10), delta(100, nothing), { resume: true }),
    wanted: wanted(["resume, last response", "resume, CPU", "resume, bytes per client"]),
    seconds: 10,
  },
  {
    name: "endpoint-100",
    about: "one endpoint, 100 × 10, 100 delta clients",
    ...sides(mesh(100, 10), delta(100, one("endpoint"))),
    wanted: wanted(change, lost),
    seconds: 11,
    mostRuns: 3,
  },
  {
    name: "endpoint-1000",
    about: "one endpoint, 1,000 × 10, 100 delta clients",
    ...sides(mesh(1000, 10), delta(100, one("endpoint"))),
    wanted: wanted(change, {
      ...lost,
      "change to client, p50": { ratio: 0.5 },
      "change to client, p99": { ratio: 0.5 },
      "CPU per change": { ratio: 0.2 },
    }),
    seconds: 13,
  },
  {
    name: "endpoint-1000-sotw",
    about: "one endpoint, 1,000 × 10, 100 clients, state of the world",
    ...sides(mesh(1000, 10), delta(100, one("endpoint", 10), { mode: "sotw" })),
    wanted: wanted(change, lost),
    seconds: 9,
    mostRuns: 3,
  },
  {
    name: "endpoint-1000x100",
    about: "one endpoint, 1,000 × 100, 100 delta clients",
    ...sides(mesh(1000, 100), delta(100, one("endpoint", 10))),
    wanted: wanted([...sync, ...change], lost),
    seconds: 12,
    mostRuns: 3,
  },
  {
    name: "endpoint-10000",
    about: "one endpoint, 10,000 × 10, 100 delta clients",
    ...sides(mesh(10_000, 10), delta(100, one("endpoint", 10))),
    wanted: wanted([...sync, ...change], { ...lost, "change to client, p50": { ratio: 0.05 } }),
    seconds: 32,
    mostRuns: 3,
  },
  {
    name: "clients-1",
    about: "one endpoint, 1,000 × 10, one delta client",
    ...sides(mesh(1000, 10), delta(1, one("endpoint"))),
    wanted: wanted(change, lost),
    seconds: 11,
    mostRuns: 3,
  },
  {
    name: "clients-500",
    about: "one endpoint, 1,000 × 10, 500 delta clients",
    ...sides(mesh(1000, 10), delta(500, one("endpoint", 10))),
    wanted: wanted([...sync, ...change], lost),
    seconds: 16,
    mostRuns: 3,
  },
  {
    name: "clients-1000",
    about: "one endpoint, 1,000 × 10, 1,000 delta clients",
    ...sides(mesh(1000, 10), delta(1000, one("endpoint", 10))),
    wanted: wanted([...sync, ...change], lost),
    seconds: 36,
    mostRuns: 3,
  },
  {
    name: "rule",
    about: "one header match of one VirtualService, 1,000 × 10, 100 delta clients, without VHDS",
    ...sides(mesh(1000, 10), delta(100, one("rule"))),
    wanted: wanted(change, { ...lost, "CPU per change": { ratio: 1 } }),
    seconds: 14,
  },
  {
    name: "rule-vhds",
    about:
      "the same, where clients take virtual hosts by VHDS; go-control-plane's caches send route tables all the same",
    ...sides(mesh(1000, 10), delta(100, one("rule"), { vhds: true })),
    wanted: wanted(["clients with VHDS", ...change], { ...lost, "bytes per change and client": { ratio: 0.02 } }),
    seconds: 14,
  },
  {
    name: "service",
    about: "one new service until its endpoints are there, 1,000 × 10, 100 delta clients",
    ...sides(mesh(1000, 10), delta(100, one("service", 10))),
    wanted: wanted(change, lost),
    seconds: 20,
    mostRuns: 3,
  },
  {
    name: "storm",
    about: "10 % of all endpoints in 5 s, 1,000 × 10, 100 delta clients",
    ...sides(mesh(1000, 10), delta(100, { type: "churn", changes: 1000, perSecond: 200 })),
    wanted: wanted(churn, lost),
    seconds: 24,
    mostRuns: 3,
  },
  {
    name: "churn",
    about:
      "100 changes a second, 1,000 × 10, 100 delta clients: 60 s for the product, 5 s for the peer, which falls behind",
    ...sides(mesh(1000, 10), delta(100, steady), {}, { action: { ...steady, changes: 500 } }),
    wanted: wanted(churn, { ...lost, "change to client, p99": { value: 100 } }),
    seconds: 74,
    mostRuns: 3,
  },
  {
    name: "slow-client",
    about:
      "50 changes a second for 10 s, 1,000 × 10, 100 delta clients of which one reads nothing meanwhile; times are those of the others",
    ...sides(
      mesh(1000, 10),
      delta(100, { type: "churn", changes: 500, perSecond: 50 }, { slow: 1 }),
      {},
      { action: { type: "churn", changes: 100, perSecond: 50 } },
    ),
    wanted: wanted(churn, lost),
    seconds: 20,
    mostRuns: 3,
  },
  {
    name: "heap",
    about: "live heap of 110 delta clients less that of 10, 1,000 × 10",
    ...sides(mesh(1000, 10), delta(110, nothing), { before: { clients: 10 } }),
    wanted: wanted(["live heap per connection"], { "live heap per connection": { ratio: 0.2 } }),
    seconds: 12,
  },
  {
    name: "event-loop",
    about: "delays of the product's event loop while 100 delta clients come and 20 endpoints change, 1,000 × 10",
    scene: {
      server: { type: "product" },
      mesh: mesh(1000, 10),
      load: delta(100, one("endpoint")),
      probe: "loop",
    },
    wanted: wanted(["event loop delay, p50", "event loop delay, p99", "event loop delay, longest"]),
    seconds: 9,
    mostRuns: 3,
  },
  {
    name: "files-100",
    about: "one endpoint in a YAML file of 100 services, 10 delta clients",
    scene: files(100, 10),
    wanted: wanted(["change to client, p50", "change to client, p99", "change to client, lost", "CPU per change"], {
      ...lost,
      "change to client, p50": { value: 50 },
    }),
    seconds: 8,
    mostRuns: 3,
  },
  {
    name: "files-10000",
    about: "one endpoint in one of 100 YAML files with 100 services each, 10 delta clients",
    scene: files(10_000, 10),
    wanted: wanted(["change to client, p50", "change to client, p99", "change to client, lost", "CPU per change"], {
      ...lost,
      "change to client, p50": { value: 150 },
    }),
    seconds: 16,
    mostRuns: 3,
  },
  ...(["nats", "redis"] as const).map((bus): Cell => ({
    name: `bus-${bus}`,
    about: `one endpoint in one of 10 YAML files with 100 services each, read by one process and served by another over ${bus === "nats" ? "NATS" : "Redis"}; beside it all in one process; 100 delta clients`,
    scene: files(1000, 100, bus),
    beside: files(1000, 100),
    wanted: wanted(change, lost),
    seconds: 18,
    mostRuns: 3,
  })),
  {
    name: "rules-10000",
    about:
      "one of 1,000 VirtualServices, 10,000 services in 20 namespaces, 100 delta clients; beside it 10 of 100 services",
    scene: rulesWorld(10_000, 1000),
    beside: rulesWorld(100, 10),
    wanted: wanted([...sync, ...change, ...sent], lost),
    seconds: 50,
    mostRuns: 1,
  },
  {
    name: "endpoint-1000-snapshot",
    about: "one endpoint, 1,000 × 10, 100 delta clients, beside go-control-plane's snapshot cache",
    scene: { server: { type: "product" }, mesh: mesh(1000, 10), load: delta(100, one("endpoint")) },
    beside: { server: { type: "peer", cache: "snapshot" }, mesh: mesh(1000, 10), load: delta(100, one("endpoint")) },
    wanted: wanted(change, lost),
    seconds: 15,
    onlyByName: true,
  },
  {
    name: "ramp-1000",
    about: "1,000 delta clients come, 50 a second, 1,000 × 10",
    ...sides(mesh(1000, 10), delta(1000, nothing, { ramp: 50 })),
    wanted: wanted(sync),
    seconds: 60,
    onlyByName: true,
  },
  {
    name: "slices",
    about:
      "what ran longest in the product's event loop while 100 delta clients come and 20 endpoints change; the figures include what measuring it costs",
    scene: { server: { type: "product" }, mesh: mesh(1000, 10), load: delta(100, one("endpoint")), probe: "slices" },
    wanted: wanted(["CPU per change"]),
    seconds: 10,
    onlyByName: true,
  },
];

/** Small ones of every kind, to see that all parts work. Their times mean nothing. */
export const quickCells: readonly Cell[] = [
  {
    name: "quick-endpoint",
    about: "one endpoint, 100 × 10, 5 delta clients",
    ...sides(mesh(100, 10), delta(5, one("endpoint", 3))),
    wanted: wanted([...sync, ...change], lost),
    seconds: 8,
  },
  {
    name: "quick-resume",
    about: "5 clients go to a fresh server with what they hold, 100 × 10",
    ...sides(mesh(100, 10), delta(5, nothing), { resume: true }),
    wanted: wanted(["resume, last response", "resume, CPU", "resume, bytes per client"]),
    seconds: 5,
  },
  {
    name: "quick-rule",
    about: "one rule, 100 × 10, 5 clients, state of the world",
    ...sides(mesh(100, 10), delta(5, one("rule", 3), { mode: "sotw" })),
    wanted: wanted(change, lost),
    seconds: 8,
  },
  {
    name: "quick-churn",
    about: "50 changes a second for 2 s, 100 × 10, 5 delta clients, one of them slow",
    ...sides(mesh(100, 10), delta(5, { type: "churn", changes: 100, perSecond: 50 }, { slow: 1 })),
    wanted: wanted(churn, lost),
    seconds: 10,
  },
  {
    name: "quick-files",
    about: "one endpoint in a YAML file of 100 services, 5 delta clients",
    scene: {
      server: { type: "files", bus: "in-process" },
      mesh: mesh(100, 10),
      load: delta(5, one("endpoint", 3)),
    },
    wanted: wanted(change, lost),
    seconds: 6,
  },
];
