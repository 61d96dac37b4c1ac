import { createHash } from "node:crypto";
import { join } from "node:path";
import { signalbox, type Daemon } from "@signalbox/test-servers";

/** What came of playing the daemon's journal through its configuration. */
export interface Replayed {
  /** SHA-256 of what each of two replays printed: the whole catalog in its canonical form. */
  readonly hashes: readonly [string, string];
  /** Endpoints that the replay has and the daemon has not, or the other way round: `<service> <port> <address> <health> <weight>`. */
  readonly different: readonly string[];
  /** How many endpoints the daemon has. */
  readonly endpoints: number;
}

interface Endpoint {
  readonly service: string;
  readonly servicePort: string;
  readonly address: string;
  readonly health: string;
  readonly weight: number;
  readonly priority: number;
}

interface Printed {
  readonly instances: readonly (Omit<Endpoint, "address" | "health" | "service"> & {
    readonly healthStatus: string;
    readonly addresses: readonly { readonly ip: string; readonly port: number }[];
  })[];
}

/** Plays the journal of a daemon that has come to rest, twice, and compares. */
export async function replayTwice(daemon: Daemon): Promise<Replayed> {
  const { items } = (await daemon.debug("/v1/instances?limit=1000")) as { items: readonly Endpoint[] };
  // Whoever asks for the journal has it written out first.
  await daemon.debug("/v1/journal?limit=1");
  const play = (): string =>
    signalbox(
      ...["replay", "--journal", join(daemon.dir, "journal"), "--config", join(daemon.dir, "signalbox.yaml")],
      ...["--output", "json"],
    );
  const [first, second] = [play(), play()];
  const services = Object.entries(JSON.parse(first) as Readonly<Record<string, Printed>>);
  const replayed = services.flatMap(([service, { instances }]) =>
    instances.map(({ addresses: [at], healthStatus, ...rest }) =>
      line({ ...rest, service, health: healthStatus, address: `${at?.ip}:${at?.port}` }),
    ),
  );
  const live = items.map(line);
  const different = [
    ...replayed.filter((one) => !live.includes(one)).map((one) => `only replayed: ${one}`),
    ...live.filter((one) => !replayed.includes(one)).map((one) => `only live: ${one}`),
  ];
  return { hashes: [sha256(first), sha256(second)], different, endpoints: live.length };
}

function line({ address, health, priority, service, servicePort, weight }: Endpoint): string {
  return `${service} ${servicePort} ${address} ${health} weight ${weight} priority ${priority}`;
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
