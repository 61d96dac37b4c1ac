import type { Cell } from "./cell.ts";
import { change, churn, delta, lost, mesh, nothing, one, sides, sync, wanted } from "./cell-parts.ts";

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
  {
    name: "quick-loop",
    about: "all endpoints at once, 100 × 10, 5 gRPC clients, and the event loop",
    scene: {
      server: { type: "product" },
      mesh: mesh(100, 10),
      load: delta(5, { type: "all", changes: 2, warmup: 0 }, { mode: "sotw", grpcTargets: 3 }),
      probe: "loop",
    },
    wanted: wanted(
      [
        "longest slice, start",
        "longest slice, clients come",
        "longest slice, changes",
        "longest slice, clients go",
        "longest slice, product's functions",
        "change to client, lost",
      ],
      lost,
    ),
    seconds: 3,
  },
  {
    name: "quick-daemon",
    about: "start, event loop and an idle second of the daemon, 100 × 10 in YAML files, one delta client",
    scene: {
      server: { type: "files", bus: "in-process" },
      mesh: mesh(100, 10),
      load: delta(1, nothing, { idle: 1 }),
      probe: "loop",
    },
    wanted: wanted(["longest slice, start", "start until first client has all", "CPU when idle"]),
    seconds: 5,
  },
];
