import type { AnswerOf } from "@signalbox/api";
import { authorOf } from "./author.ts";
import type { CommandContext } from "./context.ts";
import { askDaemon, type DaemonFlag } from "./daemon-client.ts";
import { printable } from "./table.ts";

/** The flags of `signalbox ramp`. */
export interface RampFlags extends DaemonFlag {
  readonly reason?: string;
  readonly author?: string;
  readonly json?: true;
}

/** `signalbox ramp`: takes the last step of a service's ramp back, or lets it go on. */
export async function rampCommand(
  action: "rollback" | "resume",
  service: string,
  flags: RampFlags,
  context: CommandContext,
): Promise<void> {
  const { json, reason } = flags;
  const body = { author: authorOf(flags, context), ...(reason !== undefined && { reason }) };
  const path = `/v1/migration/${encodeURIComponent(service)}:${action}`;
  const ramp = (await askDaemon(flags, { method: "POST", path, body }, context)) as AnswerOf<"Ramp">;
  context.stdout.write(json ? `${JSON.stringify(ramp, undefined, 2)}\n` : rampText(service, ramp));
}

function rampText(service: string, { detail, state, weights }: AnswerOf<"Ramp">): string {
  const shares = Object.entries(weights).map(([registry, weight]) => `${registry} ${weight}`);
  const why = detail === undefined ? "" : ` (${detail})`;
  return `${printable(`the ramp of ${service} is ${state}: ${shares.join(", ")}${why}`)}\n`;
}
