import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { apiRequest } from "./api-request.ts";
import { freePorts } from "./ports.ts";
import { provideNats } from "./provide-server.ts";
import { controlOf, serverFolder, ServerProcess } from "./server-process.ts";
import type { ServerControl } from "./server-process.ts";
import { sharedControl, sharedUrl } from "./shared-server.ts";
import type { StartOptions } from "./shared-server.ts";

/** Options of `startNats`. */
export interface NatsOptions extends StartOptions {
  /** Further command line arguments. */
  readonly args?: readonly string[];
  /** Further configuration in the server's own format: users, TLS, limits. */
  readonly config?: string;
}

/** A running NATS server with JetStream on disk. `stop()` must be called. */
export interface RunningNats extends ServerControl {
  /** `nats://host:port`, for clients. */
  readonly url: string;
  /** Address of the monitoring API (`/varz`, `/jsz`); absent for a shared server. */
  readonly monitorUrl: string | undefined;
  /** Ends it at once, removes all streams and starts it again on the same ports: a disk that was lost. */
  restartEmpty(): Promise<void>;
}

/**
 * Starts a real NATS server: the one at `SIGNALBOX_NATS_URL`, with Docker Compose, or as a process on loopback. Ready when
 * its health check includes JetStream. Rejects with a ServerUnavailableError or a ServerFailedError.
 */
export async function startNats(options: NatsOptions = {}): Promise<RunningNats> {
  const { args = [], config, env = process.env, deadlineMs = 60_000, signal } = options;
  const compose = { service: "nats", url: "nats://127.0.0.1:4222" };
  const shared = await sharedUrl(
    "SIGNALBOX_NATS_URL",
    compose,
    args.length === 0 && config === undefined ? options : { ...options, own: true },
  );
  if (shared !== undefined) {
    const control = sharedControl("nats");
    return { url: shared, monitorUrl: undefined, restartEmpty: () => control.restart(), ...control };
  }
  const program = await provideNats({ env, signal });
  const [free = 0, monitor = 0] = await freePorts(2);
  const port = options.port ?? free;
  const dir = await serverFolder("nats");
  const monitorUrl = `http://127.0.0.1:${monitor}`;
  const store = join(dir, "data");
  const configFile = join(dir, "nats.conf");
  await writeFile(configFile, config ?? "");
  const listen = ["-a", "127.0.0.1", "-p", String(port), "-m", String(monitor)];
  const control = await ServerProcess.start({
    name: "nats",
    program,
    args: ["-c", configFile, ...listen, "-js", "-sd", store, ...args],
    dir,
    ready: async (asking) => (await apiRequest(`${monitorUrl}/healthz`, { signal: asking })).status === 200,
    deadlineMs,
    signal,
  });
  return {
    url: `nats://127.0.0.1:${port}`,
    monitorUrl,
    restartEmpty: async () => {
      await control.kill();
      await rm(store, { recursive: true, force: true, maxRetries: 3 });
      await control.restart();
    },
    ...controlOf(control),
  };
}
