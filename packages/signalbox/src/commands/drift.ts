import type { AnswerOf } from "@signalbox/api";
import type { CommandContext } from "./context.ts";
import { askDaemon, type DaemonFlag } from "./daemon-client.ts";
import { table } from "./table.ts";

/** The flags of `signalbox drift`. */
export interface DriftFlags extends DaemonFlag {
  readonly registry?: string;
  readonly verdict?: string;
  readonly json?: true;
}

/** `signalbox drift`: prints what registries and workloads say differently. */
export async function driftCommand(
  service: string | undefined,
  flags: DriftFlags,
  context: CommandContext,
): Promise<void> {
  const { json, registry, verdict } = flags;
  const answer = (await askDaemon(
    flags,
    { path: "/v1/drift", query: { service, registry, verdict } },
    context,
  )) as AnswerOf<"DriftList">;
  context.stdout.write(json ? `${JSON.stringify(answer, undefined, 2)}\n` : driftText(answer.items));
}

function driftText(rows: AnswerOf<"DriftList">["items"]): string {
  if (rows.length === 0) return "Nothing to show.\n";
  const cells = rows.map(({ action, address, detail, registry, service, since, verdict }) => [
    service,
    address,
    registry,
    verdict,
    action,
    since === undefined ? "" : new Date(since).toISOString(),
    detail,
  ]);
  return table([["SERVICE", "ADDRESS", "REGISTRY", "VERDICT", "ACTION", "SINCE", "WHY"], ...cells]);
}
