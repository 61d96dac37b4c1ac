import type { AnswerOf } from "@signalbox/api";
import { exitCodes, type CommandContext } from "./context.ts";
import { askDaemon, type DaemonFlag } from "./daemon-client.ts";
import { migrationText } from "./migration-text.ts";

/** The flags of `signalbox migration`. */
export interface MigrationFlags extends DaemonFlag {
  readonly from?: string;
  readonly to?: string;
  readonly json?: true;
}

/**
 * `signalbox migration`: prints whether a service may move from one registry to another. Resolves with the exit code for a pipeline: 0 ready,
 * 1 not ready. What cannot be found out ends the command with 2, so that it is never taken for either.
 */
export async function migrationCommand(
  service: string,
  flags: MigrationFlags,
  context: CommandContext,
): Promise<number> {
  const { from, json, to } = flags;
  const path = `/v1/migration/${encodeURIComponent(service)}`;
  const request = { path, query: { from, to } };
  const answer = (await askDaemon(flags, request, context, exitCodes.usage)) as AnswerOf<"Migration">;
  context.stdout.write(json ? `${JSON.stringify(answer, undefined, 2)}\n` : migrationText(answer));
  return answer.ready ? 0 : exitCodes.failed;
}
