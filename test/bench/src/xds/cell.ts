/** The mesh that is served. */
export interface MeshSize {
  readonly services: number;
  readonly endpoints: number;
  /** So many services have a VirtualService with a header match. */
  readonly rules: number;
  /** Services and clients are spread over so many namespaces. */
  readonly namespaces: number;
}

/** Who serves it. */
export type ServerKind =
  /** The product in one process, with a registry of its own in memory. */
  | { readonly type: "product" }
  /** The daemon that reads YAML files. Over a bus it is two: one reads, the other one serves. */
  | {
      readonly type: "files";
      readonly bus: "in-process" | "nats" | "redis";
      /** Services in a file; 100 without it. */
      readonly inFile?: number;
    }
  /** A server on go-control-plane's caches. */
  | { readonly type: "peer"; readonly cache: "linear" | "snapshot" };

/** What happens once all clients are in sync. */
export type Action =
  | { readonly type: "none" }
  /** One change after the other; each has reached everybody before the next one. */
  | {
      /** `all`: every endpoint of every service, at once. */
      readonly type: "endpoint" | "rule" | "service" | "all";
      readonly changes: number;
      readonly warmup?: number;
    }
  /** A steady stream. */
  | { readonly type: "churn"; readonly changes: number; readonly perSecond: number };

/** The clients and what they see happen. */
export interface Load {
  readonly clients: number;
  readonly mode: "delta" | "sotw";
  readonly action: Action;
  /** They are no sidecars but gRPC clients, which dial so many targets each, and take what belongs to them by name. */
  readonly grpcTargets?: number;
  /** After all of it, the clients stay for so many seconds in which nothing happens. */
  readonly idle?: number;
  /** They ask for virtual hosts by VHDS; a server that does not know how sends them as always. */
  readonly vhds?: boolean;
  /** The lists in which clients name resources begin alike and go on in an order of each client's own; only in the state of the world. */
  readonly ownOrder?: boolean;
  /** So many of them read nothing while a churn goes on. */
  readonly slow?: number;
  /** Clients that open their streams per second; without it all at once. */
  readonly ramp?: number;
}

/** One server under one load. */
export interface Scene {
  readonly server: ServerKind;
  readonly mesh: MeshSize;
  readonly load: Load;
  /** Loads that the same server had before, each with as many clients; nothing of them is in the figures, but heap is also read after the last one. */
  readonly before?: Pick<Load, "clients">;
  /** In the end all clients go to a second, fresh server of the same kind, as after a restart, with what they hold. */
  readonly resume?: boolean;
  /** What the process of the product measures about itself, which costs it something; a daemon knows `loop` only. */
  readonly probe?: "loop" | "slices" | "profile";
}

/** What a figure is called in tables. */
export type FigureName =
  | "sync, all clients"
  | "sync, CPU"
  | "sync, CPU per MB"
  | "sync, bytes per client"
  | "change to client, p50"
  | "change to client, p99"
  | "change to client, lost"
  | "CPU per change"
  | "bytes per change and client"
  | "newest value at all after"
  | "resume, last response"
  | "resume, CPU"
  | "resume, bytes per client"
  | "live heap per connection"
  | "resident memory"
  | "event loop delay, p50"
  | "event loop delay, p99"
  | "event loop delay, longest"
  | "longest slice, start"
  | "longest slice, clients come"
  | "longest slice, changes"
  | "longest slice, clients go"
  | "longest slice, product's functions"
  | "start until ready"
  | "start until first client has all"
  | "resident memory after start"
  | "CPU when idle"
  | "clients with VHDS"
  | "clusters sent per change"
  | "assignments sent per change"
  | "listeners sent per change"
  | "route tables sent per change"
  | "virtual hosts sent per change";

/** What a figure should be at most: itself, or as a share of what is beside it. */
export type Target = { readonly value: number } | { readonly ratio: number };

/** A figure that a cell shows, and its target. */
export interface Wanted {
  readonly figure: FigureName;
  readonly target?: Target;
}

/** A comparison that is measured together, by name. */
export interface Cell {
  readonly name: string;
  readonly about: string;
  readonly scene: Scene;
  /** What is measured right after it, to compare with. */
  readonly beside?: Scene;
  readonly wanted: readonly Wanted[];
  /** Seconds that one run takes on two quiet cores, without what is beside it. */
  readonly seconds: number;
  /** Seconds that one run of what is beside it takes. */
  readonly besideSeconds?: number;
  /** It is measured so often at most, however often the others are. */
  readonly mostRuns?: number;
  /** What is beside it is measured so often at most: a peer that takes long and changes little. */
  readonly mostBesideRuns?: number;
  /** Measured only when it is asked for. */
  readonly onlyByName?: boolean;
}
