import { request } from "node:http";
import type { Clock, Logger } from "@signalbox/registry";

/** How to drain one Envoy. */
export interface DrainOptions {
  /** `host:port` of its admin page. */
  readonly admin: string;
  /** Milliseconds that open connections get. */
  readonly drainMs: number;
  readonly clock: Clock;
  readonly logger: Logger;
}

const pollMs = 100;

/**
 * Drains Envoy: health checks fail, listeners take leave of their clients, and after that it waits until no downstream connection is
 * left, at most `drainMs`. An admin page that does not answer is logged and ends the wait. Never throws; returns at once when
 * `ended` aborts, because then Envoy is gone.
 */
export async function drainEnvoy(options: DrainOptions, ended: AbortSignal): Promise<void> {
  const { admin, clock, drainMs, logger } = options;
  const deadline = clock.now() + drainMs;
  try {
    await ask(admin, "POST", "/healthcheck/fail", ended);
    await ask(admin, "POST", "/drain_listeners?graceful", ended);
    while (clock.now() < deadline) {
      const open = activeConnections(await ask(admin, "GET", "/stats?filter=downstream_cx_active&format=json", ended));
      if (open === 0) {
        logger.info("envoy-drained");
        return;
      }
      await clock.sleep(Math.min(pollMs, Math.max(1, deadline - clock.now())), ended);
    }
    logger.warn("envoy-drain-time-over", { drainMs });
  } catch (error) {
    if (!ended.aborted) logger.warn("envoy-drain-failed", { error });
  }
}

/** Connections from clients, without those to the admin page, of which our own question is one. */
function activeConnections(stats: string): number {
  const { stats: rows } = JSON.parse(stats) as { stats?: readonly { name?: string; value?: number }[] };
  return (rows ?? [])
    .filter(
      ({ name }) => name !== undefined && /^listener\.(?!admin\.).*(?<!worker_\d+)\.downstream_cx_active$/.test(name),
    )
    .reduce((sum, { value }) => sum + (value ?? 0), 0);
}

function ask(admin: string, method: string, path: string, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const sent = request(
      new URL(path, `http://${admin}`),
      { method, signal, timeout: 1_000, agent: false },
      (response) => {
        let body = "";
        response.setEncoding("utf8");
        response.on("data", (part: string) => {
          body += part;
        });
        response.on("error", reject);
        response.on("end", () => {
          if (response.statusCode === 200) resolve(body);
          else reject(new Error(`${path} answered ${String(response.statusCode)}`));
        });
      },
    );
    sent.on("timeout", () => sent.destroy(new Error(`${path} did not answer in 1 s`)));
    sent.on("error", reject);
    sent.end();
  });
}
