import { ConfigError, formatPath, type ConfigFault } from "@signalbox/registry";
import { parseConfig } from "../config/check.ts";
import { planRegistries } from "../config/registries.ts";
import type { SignalboxConfigInput } from "../config/schema.ts";
import type { Plan } from "../signalbox.ts";
import { CommandFailure, exitCodes, type CommandContext } from "./context.ts";
import { mustExist } from "./read-config.ts";

/** What `signalbox run` is told by flags instead of a configuration file. */
export interface SourceFlags {
  /** Kubeconfig files, `in-cluster`, or `kubectl`: where kubectl looks. */
  readonly kubernetes: readonly string[];
  /** Addresses of Consul agents. */
  readonly consul: readonly string[];
  /** For each Eureka the addresses of its servers, with commas. */
  readonly eureka: readonly string[];
  readonly files: readonly string[];
  /** Addresses of NATS servers, with commas. */
  readonly nats?: string;
  /** Address of a Redis server. */
  readonly redis?: string;
  readonly xdsPort?: number;
  readonly debugPort?: number;
}

/** An entry of `registries`, and the flag that asked for it. */
export interface FlagEntry {
  readonly flag: string;
  readonly entry: NonNullable<SignalboxConfigInput["registries"]>[number];
}

type Environment = CommandContext["environment"];

/** Whether any flag names a source. */
export function hasSources({ consul, eureka, files, kubernetes }: SourceFlags): boolean {
  return consul.length + eureka.length + files.length + kubernetes.length > 0;
}

/** Whether a flag names a bus between processes. */
export function hasBus({ nats, redis }: Pick<SourceFlags, "nats" | "redis">): boolean {
  return (nats ?? redis) !== undefined;
}

function busOf({ nats, redis }: SourceFlags): Pick<SignalboxConfigInput, "bus"> {
  if (nats !== undefined && redis !== undefined)
    throw new CommandFailure("give either --nats or --redis: a catalog travels over one bus", exitCodes.usage);
  if (nats !== undefined) return { bus: { type: "nats", servers: nats.split(",").map((server) => server.trim()) } };
  return redis === undefined ? {} : { bus: { type: "redis", url: redis } };
}

/**
 * The registries that flags ask for, most trusted first: clusters, as in Istio, then Consul, Eureka and files. A flag that is repeated
 * gives `consul`, `consul-2` and so on. Consul's token comes from `CONSUL_HTTP_TOKEN`, as for Consul's own programs.
 */
export function entriesOf(flags: SourceFlags, environment: Environment): readonly FlagEntry[] {
  const { CONSUL_HTTP_TOKEN: value = "" } = environment;
  const token = value === "" ? {} : { token: { value } };
  const each = (provider: string, values: readonly string[], keys: (value: string) => object): FlagEntry[] =>
    values.map((value, index) => ({
      flag: `--${provider}`,
      entry: { provider, name: index === 0 ? provider : `${provider}-${index + 1}`, ...keys(value) },
    }));
  const files = { flag: "--files", entry: { provider: "static", name: "files", paths: [...flags.files] } };
  return [
    ...each("kubernetes", flags.kubernetes, clusterKeys),
    ...each("consul", flags.consul, (url) => ({ url, ...token })),
    ...each("eureka", flags.eureka, (urls) => ({ urls })),
    ...(flags.files.length === 0 ? [] : [files]),
  ];
}

function clusterKeys(where: string): object {
  if (where === "kubectl") return {};
  return where === "in-cluster" ? { inCluster: true } : { kubeconfig: where };
}

/**
 * A plan that serves what flags name, with default settings. Paths start from the working directory. A value that an adapter does not take
 * ends the command with exit code 2 and names its flag.
 */
export async function planFlags(flags: SourceFlags, environment: Environment): Promise<Plan> {
  const kubeconfigs = flags.kubernetes.filter((where) => where !== "kubectl" && where !== "in-cluster");
  for (const path of [...kubeconfigs, ...flags.files]) await mustExist(path);
  const entries = entriesOf(flags, environment);
  const config = parseConfig({
    registries: entries.map(({ entry }) => entry),
    ...busOf(flags),
    ...(flags.xdsPort === undefined ? {} : { xds: { plaintext: { port: flags.xdsPort } } }),
    ...(flags.debugPort === undefined ? {} : { debug: { port: flags.debugPort } }),
  });
  const { planned, faults } = await planRegistries(config);
  if (faults.length === 0) return { config, registries: planned };
  const lines = faults.map((fault) => flagFault(fault, entries));
  throw new CommandFailure(lines.join("\n"), exitCodes.usage, { cause: new ConfigError(faults) });
}

function flagFault({ path, message }: ConfigFault, entries: readonly FlagEntry[]): string {
  const [, index, ...rest] = path;
  const flag = entries[Number(index)]?.flag ?? "";
  return `${flag}: ${rest.length === 0 ? "" : `${formatPath(rest)} `}${message}`;
}
