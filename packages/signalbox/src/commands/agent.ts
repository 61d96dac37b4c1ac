import { systemClock } from "@signalbox/registry";
import { EnvoyStartError, runAgent } from "../bootstrap/agent.ts";
import { envoyBootstrap } from "../bootstrap/envoy.ts";
import { createLogger } from "../logger.ts";
import { bootstrapOptions, type BootstrapFlags } from "./bootstrap-flags.ts";
import { CommandFailure, type CommandContext } from "./context.ts";
import { untilStopped } from "./signals.ts";

/** The flags of `signalbox agent`. */
export interface AgentFlags extends BootstrapFlags {
  readonly envoy: string;
  readonly drainSeconds: number;
  readonly maxRestarts?: number;
}

/** `signalbox agent`: starts Envoy, keeps it running, drains it on SIGTERM. Resolves with the exit code. */
export async function agentCommand(
  flags: AgentFlags,
  envoyArgs: readonly string[],
  context: CommandContext,
): Promise<number> {
  const bootstrap = envoyBootstrap(bootstrapOptions(flags, context));
  const logger = createLogger({ level: "info", format: "auto" }, context.terminal);
  using stopped = untilStopped();
  try {
    return await runAgent(
      {
        bootstrap,
        envoy: flags.envoy,
        envoyArgs,
        drainMs: flags.drainSeconds * 1000,
        ...(flags.maxRestarts === undefined ? {} : { maxRestarts: flags.maxRestarts }),
        logger,
        clock: systemClock,
      },
      stopped.signal,
    );
  } catch (error) {
    if (error instanceof EnvoyStartError) throw new CommandFailure(error.message, 127, { cause: error });
    throw error;
  }
}
