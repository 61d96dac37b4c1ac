import { delta, files, lost, mesh, one, rulesWorld, wanted } from "./cell-parts.ts";
import type { Cell, FigureName, Scene, Target } from "./cell.ts";

/** No work of the product may hold its event loop for longer, in milliseconds. */
const longest: Target = { value: 20 };
const slices = [
  "longest slice, start",
  "longest slice, clients come",
  "longest slice, changes",
  "longest slice, clients go",
  "longest slice, product's functions",
] as const;
const figures: readonly FigureName[] = [
  "event loop delay, p50",
  "event loop delay, p99",
  "event loop delay, longest",
  ...slices,
  "change to client, lost",
];

const loopCell = (name: string, about: string, scene: Scene, seconds: number): Cell => ({
  name,
  about: `event loop: ${about}`,
  scene: { ...scene, probe: "loop" },
  wanted: wanted(figures, { ...lost, ...Object.fromEntries(slices.map((figure) => [figure, longest])) }),
  seconds,
});

const product = (scene: Omit<Scene, "server">): Scene => ({ server: { type: "product" }, ...scene });

const filesScene = (bus: "in-process" | "nats" | "redis"): Scene => ({
  ...files(10_000, 10, bus),
  load: delta(10, one("endpoint", 5)),
});

/** The scenarios in which clients and changes are of every other kind; by name only, because the others are as long. */
const otherLoopCells: readonly Cell[] = [
  loopCell(
    "loop-sotw",
    "10 times one endpoint, 1,000 × 10, 100 clients, state of the world",
    product({ mesh: mesh(1000, 10), load: delta(100, one("endpoint", 10), { mode: "sotw" }) }),
    5,
  ),
  loopCell(
    "loop-sotw-10000",
    "10 times one endpoint, 10,000 × 10, 50 clients, state of the world",
    product({ mesh: mesh(10_000, 10), load: delta(50, one("endpoint", 10), { mode: "sotw" }) }),
    20,
  ),
  loopCell(
    "loop-rule",
    "20 times one header match of one VirtualService, 1,000 × 10, 100 delta clients",
    product({ mesh: mesh(1000, 10), load: delta(100, one("rule")) }),
    6,
  ),
  loopCell(
    "loop-vhds",
    "the same with VHDS",
    product({ mesh: mesh(1000, 10), load: delta(100, one("rule"), { vhds: true }) }),
    6,
  ),
  loopCell(
    "loop-service",
    "10 times one new service, 1,000 × 10, 100 delta clients",
    product({ mesh: mesh(1000, 10), load: delta(100, one("service", 10)) }),
    8,
  ),
  loopCell(
    "loop-service-10000",
    "5 times one new service, 10,000 × 10, 100 delta clients",
    product({ mesh: mesh(10_000, 10), load: delta(100, one("service", 5)) }),
    15,
  ),
  loopCell(
    "loop-endpoints",
    "10 times one endpoint, 1,000 × 100, 100 delta clients",
    product({ mesh: mesh(1000, 100), load: delta(100, one("endpoint", 10)) }),
    8,
  ),
  loopCell(
    "loop-clients",
    "10 times one endpoint, 1,000 × 10, 1,000 delta clients",
    product({ mesh: mesh(1000, 10), load: delta(1000, one("endpoint", 10)) }),
    15,
  ),
  loopCell(
    "loop-slow",
    "50 changes a second, 1,000 × 10, 100 delta clients of which one reads nothing meanwhile",
    product({ mesh: mesh(1000, 10), load: delta(100, { type: "churn", changes: 300, perSecond: 50 }, { slow: 1 }) }),
    10,
  ),
  loopCell(
    "loop-rules-100",
    "10 times one of 1,000 VirtualServices, 10,000 × 10, 100 delta clients in 20 namespaces",
    rulesWorld(10_000, 1000),
    40,
  ),
].map((cell) => ({ ...cell, onlyByName: true }));

/** What the event loop of the product is like in each scenario. */
export const loopCells: readonly Cell[] = [
  loopCell(
    "event-loop",
    "20 times one endpoint, 1,000 × 10, 100 delta clients",
    product({ mesh: mesh(1000, 10), load: delta(100, one("endpoint")) }),
    7,
  ),
  loopCell(
    "loop-storm",
    "10 % of all endpoints in 5 s, 1,000 × 10, 100 delta clients",
    product({ mesh: mesh(1000, 10), load: delta(100, { type: "churn", changes: 1000, perSecond: 200 }) }),
    9,
  ),
  loopCell(
    "loop-10000",
    "all endpoints at once, twice, 10,000 × 10, 50 delta clients",
    product({ mesh: mesh(10_000, 10), load: delta(50, { type: "all", changes: 2, warmup: 0 }) }),
    17,
  ),
  loopCell(
    "loop-rules",
    "5 times one of 1,000 VirtualServices, 10,000 × 10, 20 delta clients in 20 namespaces",
    (({ load, ...world }) => ({ ...world, load: { ...load, clients: 20, action: one("rule", 5) } }))(
      rulesWorld(10_000, 1000),
    ),
    14,
  ),
  loopCell(
    "loop-grpc",
    "10 times one endpoint, 10,000 × 10, 100 proxyless gRPC clients with 20 targets each",
    product({
      mesh: mesh(10_000, 10),
      load: delta(100, one("endpoint", 10), { mode: "sotw", grpcTargets: 20 }),
    }),
    9,
  ),
  loopCell(
    "loop-files",
    "5 times one endpoint in 100 YAML files, 10,000 × 10, 10 delta clients",
    files(10_000, 10),
    14,
  ),
  ...(["nats", "redis"] as const).map((bus) =>
    loopCell(
      `loop-bus-${bus}`,
      `the same, read by one process and served by another over ${bus === "nats" ? "NATS" : "Redis"}; the worse of both processes`,
      filesScene(bus),
      15,
    ),
  ),
  ...otherLoopCells,
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
