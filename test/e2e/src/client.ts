import { signalbox, startEnvoy, startTraffic, type RunningEnvoy, type Traffic } from "@signalbox/test-servers";
import { hostname } from "./services.ts";

/** An Envoy with traffic through it. */
export interface Client {
  readonly id: string;
  readonly envoy: RunningEnvoy;
  readonly traffic: Traffic;
  /** How often it took something over or refused it, by counter. */
  counters(): Promise<Readonly<Record<string, number>>>;
  /** Ends both. Resolves with the answers that were not 200. */
  stop(): Promise<readonly unknown[]>;
}

/** What a client is made of. */
export interface ClientOptions {
  readonly id: string;
  /** The loopback address of its listeners: each client of one test has its own. */
  readonly address: string;
  /** The ports of xDS servers, the preferred one first. */
  readonly xdsPorts: readonly number[];
  /** The service that the traffic is for, of a file of services, and its port. */
  readonly service: string;
  readonly port: number;
}

const updates =
  /^(cluster_manager\.cds|listener_manager\.lds|http\..*rds.*|cluster\.outbound.*)\.update_(success|rejected)/;

/** Starts an Envoy with the bootstrap that `signalbox bootstrap` prints, and traffic. Resolves with the first good answer. */
export async function startClient({ address, id, port, service, xdsPorts }: ClientOptions): Promise<Client> {
  const addresses = xdsPorts.flatMap((xdsPort) => ["--xds-address", `127.0.0.1:${xdsPort}`]);
  const listeners = ["--metadata", `LISTENER_ADDRESS=${address}`];
  const bootstrap = signalbox("bootstrap", "--node", id, ...addresses, ...listeners, "--admin-port", "0");
  const envoy = await startEnvoy({ bootstrap });
  const traffic = startTraffic(port, hostname(service), 1, 2, address);
  const client: Client = {
    id,
    envoy,
    traffic,
    counters: async () =>
      Object.fromEntries([...(await envoy.stats("update_"))].filter(([name]) => updates.test(name))),
    async stop() {
      const failed = await traffic.stop();
      await envoy.stop();
      return failed;
    },
  };
  try {
    await traffic.next(({ status }) => status === 200);
    return client;
  } catch (error) {
    await client.stop();
    throw error;
  }
}

/** Runs `act` while traffic flows. Resolves with the answers meanwhile that were not 200. */
export async function failuresDuring(clients: readonly Client[], act: () => Promise<void>): Promise<unknown[]> {
  const seen = clients.map(({ traffic }) => traffic.answers.length);
  await act();
  await Promise.all(clients.map(({ traffic }) => traffic.next(() => true)));
  return clients.flatMap(({ traffic }, index) =>
    traffic.answers.slice(seen[index]).filter(({ status }) => status !== 200),
  );
}
