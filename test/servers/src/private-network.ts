import { fileURLToPath } from "node:url";
import { CommandFailedError, runCommand } from "./run-command.ts";

/** Options of `inPrivateNetwork`. */
export interface PrivateNetworkOptions {
  /** Path of the JavaScript module to run there; `builtModule` gives that of a TypeScript source. */
  readonly script: string;
  /** IPv4 and IPv6 addresses that the loopback device gets besides its own, such as `10.244.1.5`. */
  readonly addresses?: readonly string[];
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Milliseconds until it is killed. Two minutes by default. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** Thrown when the system does not let this user make a network namespace. The message says what is needed. */
export class PrivateNetworkUnavailableError extends Error {
  readonly code = "SBX_PRIVATE_NETWORK_UNAVAILABLE";

  constructor(reason: string, options?: ErrorOptions) {
    super(
      `no private network: ${reason}. Needed: "unshare" (util-linux), "ip" (iproute2), and either root with the right ` +
        "to make namespaces or unprivileged user namespaces (in Docker: --privileged or --cap-add SYS_ADMIN).",
      options,
    );
    this.name = "PrivateNetworkUnavailableError";
  }
}

/**
 * Runs a Node module in a network of its own, which has nothing but a loopback device, and returns what it printed. There
 * it may use any address, such as those of pods, and reaches nothing outside; the servers it starts live there too. They
 * end with it. Rejects with a CommandFailedError when the module fails and a PrivateNetworkUnavailableError when there can
 * be no such network.
 */
export async function inPrivateNetwork(options: PrivateNetworkOptions): Promise<string> {
  const { script, addresses = [], args = [], env = {}, timeoutMs = 120_000, signal } = options;
  const unshare = await unshareArguments(signal);
  // exec keeps the process id: who kills the command kills the module.
  const setUp =
    'n=$1; shift; ip link set lo up; while [ "$n" -gt 0 ]; do ip addr add "$1" dev lo; shift; n=$((n-1)); done';
  const shell = ["sh", "-ec", `${setUp}; exec "$@"`, "sh", String(addresses.length), ...addresses.map(withLength)];
  return runCommand("unshare", [...unshare, ...shell, process.execPath, script, ...args], {
    env: { ...process.env, ...env },
    timeoutMs,
    signal,
  });
}

/** The path of the built JavaScript of a TypeScript module, given relative to the asking module's `import.meta.url`. */
export function builtModule(relative: string, base: string): string {
  const path = fileURLToPath(new URL(relative, base));
  const at = path.lastIndexOf("/src/");
  const built = at < 0 ? path : `${path.slice(0, at)}/dist/${path.slice(at + 5)}`;
  return built.replace(/\.ts$/, ".js");
}

function withLength(address: string): string {
  if (address.includes("/")) return address;
  return `${address}/${address.includes(":") ? 128 : 32}`;
}

let found: Promise<readonly string[]> | undefined;

/** Root makes a network namespace directly; others, and root without that right, through a user namespace of their own. */
function unshareArguments(signal: AbortSignal | undefined): Promise<readonly string[]> {
  found ??= findUnshareArguments(signal).catch((error: unknown) => {
    found = undefined;
    throw error;
  });
  return found;
}

async function findUnshareArguments(signal: AbortSignal | undefined): Promise<readonly string[]> {
  const direct = ["--net"];
  const viaUser = ["--user", "--map-root-user", "--net"];
  const ways = process.getuid?.() === 0 ? [direct, viaUser] : [viaUser];
  const reasons: string[] = [];
  for (const way of ways) {
    try {
      await runCommand("unshare", [...way, "ip", "link", "set", "lo", "up"], { signal, timeoutMs: 10_000 });
      return way;
    } catch (error) {
      if (!(error instanceof CommandFailedError)) throw error;
      reasons.push(error.message);
    }
  }
  throw new PrivateNetworkUnavailableError(reasons.join("; "));
}
