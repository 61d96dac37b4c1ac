import type { AnswerOf } from "@signalbox/api";
import { CommandFailure, exitCodes, type CommandContext } from "./context.ts";
import { authorOf } from "./author.ts";
import { askDaemon, type DaemonFlag } from "./daemon-client.ts";
import { printable, table } from "./table.ts";

/** The flags of `signalbox override`. */
export interface OverrideFlags extends DaemonFlag {
  readonly hold?: true;
  readonly drain?: true;
  readonly weight?: number;
  /** A duration, as the API reads it. */
  readonly for?: string;
  readonly reason?: string;
  readonly author?: string;
  readonly json?: true;
}

/** The flags of `signalbox override remove`. */
export interface OverrideRemoveFlags extends DaemonFlag {
  readonly reason?: string;
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
  const { json } = flags;
  const length = required(flags.for, "--for <time>");
  const reason = required(flags.reason, "--reason <text>");
  const body = { service, address, ...actionOf(flags), for: length, author: authorOf(flags, context), reason };
  const request = { method: "POST", path: "/v1/overrides", body } as const;
  const override = (await askDaemon(flags, request, context)) as AnswerOf<"Override">;
  context.stdout.write(json ? `${JSON.stringify(override, undefined, 2)}\n` : overrideText(override));
}

/** `signalbox override list`: the overrides in force. */
export async function overrideListCommand(
  flags: DaemonFlag & { readonly json?: true },
  context: CommandContext,
): Promise<void> {
  const list = (await askDaemon(flags, { path: "/v1/overrides" }, context)) as AnswerOf<"OverrideList">;
  context.stdout.write(flags.json ? `${JSON.stringify(list, undefined, 2)}\n` : listText(list));
}

/** `signalbox override remove`: ends one before its time. */
export async function overrideRemoveCommand(
  id: string,
  flags: OverrideRemoveFlags,
  context: CommandContext,
): Promise<void> {
  const { json, reason } = flags;
  const query = { author: authorOf(flags, context), reason };
  const request = { method: "DELETE", path: `/v1/overrides/${encodeURIComponent(id)}`, query } as const;
  const override = (await askDaemon(flags, request, context)) as AnswerOf<"Override">;
  const text = `${printable(`${override.address} of ${override.service} is as its registries say (override ${id} is over)`)}\n`;
  context.stdout.write(json ? `${JSON.stringify(override, undefined, 2)}\n` : text);
}

function listText({ items }: AnswerOf<"OverrideList">): string {
  if (items.length === 0) return "There are no overrides.\n";
  const rows = items.map(({ action, address, author, id, reason, service, until }) => [
    ...[id, service, address, action.type === "weight" ? `weight ${action.weight}` : action.type],
    ...[new Date(until).toISOString(), author, reason],
  ]);
  return table([["ID", "SERVICE", "ADDRESS", "ACTION", "UNTIL", "AUTHOR", "REASON"], ...rows]);
}

/** The commands below this one do not have these options, so the parser cannot ask for them. */
function required(value: string | undefined, option: string): string {
  if (value !== undefined) return value;
  throw new CommandFailure(`required option '${option}' not specified`, exitCodes.usage);
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

function overrideText({ action, address, id, service, until }: AnswerOf<"Override">): string {
  const done = {
    hold: "is held",
    drain: "is drained",
    weight: `has the weight ${action.type === "weight" ? action.weight : ""}`,
  }[action.type];
  return `${printable(`${address} of ${service} ${done} until ${new Date(until).toISOString()} (override ${id})`)}\n`;
}
