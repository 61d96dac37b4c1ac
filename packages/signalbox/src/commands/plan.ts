import { existsSync } from "node:fs";
import type { Role } from "../role.ts";
import type { LoadedConfig } from "../config/load.ts";
import type { Plan } from "../signalbox.ts";
import { CommandFailure, exitCodes, type CommandContext } from "./context.ts";
import { hasBus, hasSources, planFlags, type SourceFlags } from "./plan-flags.ts";
import { defaultConfigFile, readConfig } from "./read-config.ts";

/** The flags of `signalbox run`, `discover` and `publish`. */
export interface DaemonFlags extends SourceFlags {
  readonly config?: string;
  readonly watch: boolean;
  /** So many processes serve xDS. */
  readonly workers?: number;
}

/** The command that a role is asked for with. */
export const commandOf: Readonly<Record<Role, string>> = { all: "run", discover: "discover", publish: "publish" };

/** What the daemon is to do: as flags say, or else a configuration file. Neither, or both, ends the command with exit code 2. */
export async function planOf(role: Role, flags: DaemonFlags, context: CommandContext): Promise<Plan | LoadedConfig> {
  const { config = existsSync(defaultConfigFile) ? defaultConfigFile : undefined } = flags;
  if (hasSources(flags) || hasBus(flags)) {
    if (flags.config !== undefined)
      throw new CommandFailure(`give either --config, or any of ${sourceFlags(role)}`, exitCodes.usage);
    return planFlags(flags, context.environment);
  }
  if (config !== undefined && (flags.xdsPort ?? flags.debugPort) !== undefined)
    throw new CommandFailure(
      `--xds-port and --debug-port are for running without a configuration file; ${config} names the ports`,
      exitCodes.usage,
    );
  if (config !== undefined) return readConfig(config, context);
  throw new CommandFailure(role === "all" ? nothingToRun : withoutBus(role), exitCodes.usage);
}

function sourceFlags(role: Role): string {
  if (role === "publish") return "--nats and --redis";
  const sources = "--kubernetes, --consul, --eureka and --files";
  return role === "all" ? sources : `${sources.replace(" and", ",")}, --nats and --redis`;
}

/** What to do where a role needs a bus between processes and none is named. */
export function withoutBus(role: Role): string {
  const command = commandOf[role];
  const source = role === "discover" ? " --consul http://127.0.0.1:8500" : "";
  return `signalbox ${command} needs a bus between processes, and none is named

Name it by a flag:

  signalbox ${command}${source} --nats nats://127.0.0.1:4222
  signalbox ${command}${source} --redis redis://127.0.0.1:6379

or in the configuration file:

  bus: { type: nats, servers: ["nats://127.0.0.1:4222"] }

Everything in one process, without a bus, is  signalbox run`;
}

const nothingToRun = `nothing to run: there is no ${defaultConfigFile} here, and none of --config, --kubernetes, --consul, --eureka and --files was given

Where there is a registry, name it:

  signalbox run --kubernetes
  signalbox run --consul http://127.0.0.1:8500
  signalbox run --eureka http://127.0.0.1:8761/eureka

Without one, write services.yaml:

  services:
    - name: web
      namespace: default
      ports: [{ name: http, number: 8000 }]
      endpoints: ["127.0.0.1:9001"]

and run  signalbox run --files services.yaml
A configuration file has more to say: signalbox schema prints what it may hold.`;
