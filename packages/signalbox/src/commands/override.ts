import type { AnswerOf } from "@signalbox/api";
import { CommandFailure, exitCodes, type CommandContext } from "./context.ts";
import { askDaemon, type DaemonFlag } from "./daemon-client.ts";
import { printable } from "./table.ts";

/** The flags of `signalbox override`. */
export interface OverrideFlags extends DaemonFlag {
  readonly hold?: true;
  readonly drain?: true;
  readonly weight?: number;
  /** A duration, as the API reads it. */
  readonly for: string;
  readonly reason: string;
  readonly author?: string;
  readonly json?: true;
}

/** `signalbox override`: holds or drains one endpoint, or gives it a weight, for a time. */
export async function overrideCommand(
  service: string,
  address: string,
  flags: OverrideFlags,
  context: CommandContext,
): Promise<void> {
  const { for: length, json, reason } = flags;
  const body = { service, address, ...actionOf(flags), for: length, author: authorOf(flags, context), reason };
  const request = { method: "POST", path: "/v1/overrides", body } as const;
  const override = (await askDaemon(flags, request, context)) as AnswerOf<"Override">;
  context.stdout.write(json ? `${JSON.stringify(override, undefined, 2)}\n` : overrideText(override));
}

function actionOf({ drain, hold, weight }: OverrideFlags): { readonly action: string; readonly weight?: number } {
  const actions = [
    ...(hold ? [{ action: "hold" }] : []),
    ...(drain ? [{ action: "drain" }] : []),
    ...(weight === undefined ? [] : [{ action: "weight", weight }]),
  ];
  const [action, ...more] = actions;
  if (action === undefined || more.length > 0)
    throw new CommandFailure("give one of --hold, --drain and --weight", exitCodes.usage);
  return action;
}

/** An override is a person's word: it has a name, if only that of the account. */
function authorOf({ author }: OverrideFlags, { environment }: CommandContext): string {
  const { LOGNAME, USER } = environment;
  const name = [author, USER, LOGNAME].find((one) => one !== undefined && one !== "");
  if (name !== undefined) return name;
  throw new CommandFailure("--author must say who does it: USER and LOGNAME are not set", exitCodes.usage);
}

function overrideText({ action, address, id, service, until }: AnswerOf<"Override">): string {
  const done = {
    hold: "is held",
    drain: "is drained",
    weight: `has the weight ${action.type === "weight" ? action.weight : ""}`,
  }[action.type];
  return `${printable(`${address} of ${service} ${done} until ${new Date(until).toISOString()} (override ${id})`)}\n`;
}
