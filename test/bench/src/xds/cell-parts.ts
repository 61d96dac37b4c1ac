import type { Action, Cell, FigureName, Load, MeshSize, Scene, Target, Wanted } from "./cell.ts";

/** A mesh with one rule in one namespace, unless more is said. */
export const mesh = (services: number, endpoints: number, more: Partial<MeshSize> = {}): MeshSize => ({
  services,
  endpoints,
  rules: 1,
  namespaces: 1,
  ...more,
});

/** A load of delta clients. */
export const delta = (clients: number, action: Action, more: Partial<Load> = {}): Load => ({
  clients,
  mode: "delta",
  action,
  ...more,
});

/** Clients come, and that is all. */
export const nothing: Action = { type: "none" };

/** Changes of one kind, one by one. */
export const one = (type: "endpoint" | "rule" | "service", changes = 20): Action => ({ type, changes });

/** The same load on the product and on the peer. */
export function sides(
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

/** Figures with the targets that some of them have. */
export function wanted(
  figures: readonly FigureName[],
  targets: Partial<Record<FigureName, Target>> = {},
): readonly Wanted[] {
  return figures.map((figure) => {
    const target = targets[figure];
    return target === undefined ? { figure } : { figure, target };
  });
}

/** What a sync is judged by. */
export const sync: readonly FigureName[] = [
  "sync, all clients",
  "sync, CPU",
  "sync, CPU per MB",
  "sync, bytes per client",
  "resident memory",
];

/** What changes one by one are judged by. */
export const change: readonly FigureName[] = [
  "change to client, p50",
  "change to client, p99",
  "change to client, lost",
  "CPU per change",
  "bytes per change and client",
];

/** What a stream of changes is judged by. */
export const churn: readonly FigureName[] = [
  "change to client, p50",
  "change to client, p99",
  "change to client, lost",
  "CPU per change",
  "newest value at all after",
  "resident memory",
];

/** Which resources a change sends. */
export const sent: readonly FigureName[] = [
  "clusters sent per change",
  "assignments sent per change",
  "listeners sent per change",
  "route tables sent per change",
  "virtual hosts sent per change",
];

/** Nobody may miss a change. */
export const lost: Partial<Record<FigureName, Target>> = { "change to client, lost": { value: 0 } };

/** Rules change among so many, in 20 namespaces. */
export const rulesWorld = (services: number, rules: number): Scene => ({
  server: { type: "product" },
  mesh: mesh(services, 10, { rules, namespaces: 20 }),
  load: delta(100, one("rule", 10)),
});

/** Endpoints change in files that the daemon reads. */
export const files = (
  services: number,
  clients: number,
  bus: "in-process" | "nats" | "redis" = "in-process",
): Scene => ({
  server: { type: "files", bus },
  mesh: mesh(services, 10),
  load: delta(clients, one("endpoint", 15)),
});
