import { readFile } from "node:fs/promises";
import { builtModule } from "@signalbox/test-servers";
import { portFileVariable, type LoopStats } from "./messages.ts";

/** A daemon whose event loop is watched. */
export interface WatchedDaemon {
  /** What its environment must have. */
  readonly env: Readonly<Record<string, string>>;
  /** What was seen since the last call, the first time since its debug port answered. Only once the daemon is ready. */
  stats(): Promise<LoopStats>;
}

/** Has a daemon watch its own event loop, by a module that Node loads before the daemon. `portFile` must not be there yet. */
export function watchedDaemon(portFile: string): WatchedDaemon {
  const module = new URL(`file://${builtModule("./watch-daemon.ts", import.meta.url)}`);
  return {
    env: { NODE_OPTIONS: `--import=${module.href}`, [portFileVariable]: portFile },
    async stats() {
      const port = (await readFile(portFile, "utf8")).trim();
      const response = await fetch(`http://127.0.0.1:${port}/loop`);
      if (!response.ok) throw new Error(`the watched daemon answered ${response.status}: ${await response.text()}`);
      return (await response.json()) as LoopStats;
    },
  };
}
