import { request } from "node:http";

/** An answer of the admin interface. */
export interface AdminAnswer {
  readonly status: number;
  readonly body: string;
}

/** Envoy's admin interface. Source: envoyproxy.io, operations/admin. */
export class EnvoyAdmin {
  /** `host:port`. */
  readonly adminAddress: string;

  constructor(adminAddress: string) {
    this.adminAddress = adminAddress;
  }

  /** Asks for any path. Rejects when there is no answer within `deadlineMs` (5 s by default), not for its status. */
  admin(path: string, options: { readonly method?: string; readonly deadlineMs?: number } = {}): Promise<AdminAnswer> {
    const { method = "GET", deadlineMs = 5000 } = options;
    return new Promise((resolve, reject) => {
      const signal = AbortSignal.timeout(deadlineMs);
      const call = request(`http://${this.adminAddress}${path}`, { method, agent: false, signal }, (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () =>
          resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString("utf8") }),
        );
      });
      call.on("error", reject);
      call.end();
    });
  }

  /** Whether all of the first configuration has arrived. */
  async isLive(): Promise<boolean> {
    return (await this.admin("/ready")).status === 200;
  }

  /** What it accepted, with endpoints: `{ configs: [...] }`. */
  async configDump(): Promise<{ readonly configs: readonly Readonly<Record<string, unknown>>[] }> {
    const { body } = await this.admin("/config_dump?include_eds", { deadlineMs: 20_000 });
    return JSON.parse(body) as { configs: Record<string, unknown>[] };
  }

  /** Counters and gauges whose names match the regular expression, by name. */
  async stats(filter = ""): Promise<ReadonlyMap<string, number>> {
    const { body } = await this.admin(`/stats?format=json&filter=${encodeURIComponent(filter)}`);
    const { stats } = JSON.parse(body) as { stats: { name?: string; value?: number | string }[] };
    const values = new Map<string, number>();
    for (const { name, value } of stats) if (name !== undefined && typeof value === "number") values.set(name, value);
    return values;
  }

  /** How many responses it refused: the sum of `update_rejected` over CDS, LDS, RDS, EDS and all other types. */
  async nacks(): Promise<number> {
    let sum = 0;
    for (const value of (await this.stats("\\.update_rejected$")).values()) sum += value;
    return sum;
  }
}
