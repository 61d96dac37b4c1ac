import type { ClientStatus, XdsServerAddresses } from "@signalbox/xds-server";
import type { SignalboxConfig } from "../config/schema.ts";
import type { Failure } from "./failure.ts";

/** What the primary process tells a worker. */
export type ToWorker =
  /** Begin to serve. Sent once, when the worker is ready. */
  | {
      readonly type: "start";
      readonly config: Pick<SignalboxConfig, "log" | "mesh" | "secrets" | "xds">;
      readonly baseDir: string;
      /** The Unix socket that the catalog comes over. */
      readonly busPath: string;
      /** Whether logs are for a person. */
      readonly terminal: boolean;
    }
  /** Answer with a status. */
  | { readonly type: "ask"; readonly id: number; readonly names: boolean }
  /** Send clients away one by one over so many milliseconds, and end. */
  | { readonly type: "drain"; readonly ms: number };

/** What a worker tells the primary process. */
export type FromWorker =
  /** It hears what it is told; whatever was said before was lost. */
  | { readonly type: "ready" }
  | { readonly type: "listening"; readonly addresses: XdsServerAddresses }
  /** It cannot serve, and ends. */
  | { readonly type: "failed"; readonly error: Failure }
  | { readonly type: "answer"; readonly id: number; readonly status: WorkerStatus };

/** How a worker is. */
export interface WorkerStatus {
  readonly clients: readonly ClientStatus[];
  /** For each stream the names that it subscribed to, by type; where they were asked for. */
  readonly names: ReadonlyMap<number, ReadonlyMap<string, readonly string[]>>;
  /** Its metrics in prom-client's JSON form. */
  readonly metrics: readonly object[];
}
