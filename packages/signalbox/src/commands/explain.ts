import type { AnswerOf } from "@signalbox/api";
import type { CommandContext } from "./context.ts";
import { askDaemon, type DaemonFlag } from "./daemon-client.ts";
import { addressText, explanationText } from "./explain-text.ts";

/** The flags of `signalbox explain`. */
export interface ExplainFlags extends DaemonFlag {
  readonly json?: true;
}

/** `signalbox explain`: prints what became of every candidate of a service, or of one address, and why. */
export async function explainCommand(
  service: string,
  address: string | undefined,
  flags: ExplainFlags,
  context: CommandContext,
): Promise<void> {
  const answer = (await askDaemon(
    flags,
    { path: "/v1/explain", query: { service, address } },
    context,
  )) as AnswerOf<"Explanation">;
  if (flags.json) context.stdout.write(`${JSON.stringify(answer, undefined, 2)}\n`);
  else context.stdout.write("found" in answer ? addressText(answer) : explanationText(answer));
}
