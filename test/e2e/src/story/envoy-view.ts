import { waitFor, type RunningEnvoy } from "@signalbox/test-servers";

/** The endpoints of a cluster that get requests, each with its weight. */
export type EnvoyEndpoints = ReadonlyMap<string, number>;

interface HostStatus {
  readonly address: { readonly socket_address: { readonly address: string } };
  readonly health_status?: { readonly eds_health_status?: string };
  readonly weight?: number;
}

/** What one Envoy has of one service. */
export class EnvoyView {
  readonly #envoy: RunningEnvoy;
  readonly #cluster: string;

  constructor(envoy: RunningEnvoy, host: string, port: number) {
    this.#envoy = envoy;
    this.#cluster = `outbound|${port}||${host}`;
  }

  /** What it has now; nothing where it does not know the service. */
  async endpoints(): Promise<EnvoyEndpoints> {
    const { body } = await this.#envoy.admin("/clusters?format=json");
    const { cluster_statuses: clusters } = JSON.parse(body) as {
      cluster_statuses: readonly { name: string; host_statuses?: readonly HostStatus[] }[];
    };
    const hosts = clusters.find(({ name }) => name === this.#cluster)?.host_statuses ?? [];
    const used = hosts.filter(({ health_status: health, weight = 1 }) => {
      const status = health?.eds_health_status ?? "HEALTHY";
      return weight > 0 && (status === "HEALTHY" || status === "UNKNOWN");
    });
    return new Map(used.map(({ address, weight = 1 }) => [address.socket_address.address, weight]));
  }

  /** Waits until its endpoints are so. Resolves with when that was seen, as `performance.now()` says it. */
  async until(what: string, fit: (endpoints: EnvoyEndpoints) => boolean, deadlineMs = 30_000): Promise<number> {
    let last: EnvoyEndpoints = new Map();
    try {
      await waitFor(async () => fit((last = await this.endpoints())), { what, deadlineMs, intervalMs: 3 });
    } catch (error) {
      throw new Error(`Envoy has ${JSON.stringify([...last])}`, { cause: error });
    }
    return performance.now();
  }

  /** How often its endpoints became others. */
  async changes(): Promise<number> {
    const name = `cluster.${this.#cluster}.membership_change`;
    return (await this.#envoy.stats("membership_change$")).get(name) ?? 0;
  }
}

/** The part of the requests that these addresses get by their weights, 0..1. */
export function shareOf(endpoints: EnvoyEndpoints, addresses: readonly string[]): number {
  let part = 0;
  let all = 0;
  for (const [address, weight] of endpoints) {
    all += weight;
    if (addresses.includes(address)) part += weight;
  }
  return all === 0 ? 0 : part / all;
}
