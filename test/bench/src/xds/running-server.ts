/** A server that a load can be put on. `stop` must be called. */
export interface RunningServer {
  /** The process that serves xDS. */
  readonly pid: number;
  readonly xdsPort: number;
  /** Where changes are asked for, without a slash at the end. */
  readonly triggers: string;
  /** What it says about itself; absent where it says nothing. */
  readonly statsUrl?: string;
  /** Rejects when it ends by itself; never resolves. */
  readonly failed: Promise<never>;
  /** Milliseconds from the start of its process until it said that it was ready; absent where nobody asked. */
  readonly readyMs?: number;
  readonly stop: () => Promise<void>;
}
