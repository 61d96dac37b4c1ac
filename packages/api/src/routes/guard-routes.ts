import { byCodeUnit } from "@signalbox/model";
import type { z } from "zod";
import { limitedDuration } from "../duration.ts";
import { ApiRefusal } from "../failure.ts";
import { author, reason } from "../parameters.ts";
import { configured, route } from "../route.ts";
import type { Route } from "../route.ts";
import type { schemas } from "../schemas.ts";
import type { GuardStatus } from "../sources.ts";
import { done } from "../write.ts";

/** Guards that hold removals, and a person's word on them. */
export const guardRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/v1/guards",
    operation: "listGuards",
    summary: "Guards that have tripped, by id.",
    query: {},
    answer: "GuardList",
    refuses: ["SBX_NOT_CONFIGURED"],
    handle: async (_, context) => {
      const guards = await configured(context, "guards").guards();
      return { items: guards.map(guardRow).sort((a, b) => byCodeUnit(a.id, b.id)) };
    },
  }),
  route({
    method: "POST",
    path: "/v1/guards/{id}:accept",
    operation: "acceptGuard",
    summary: "Believe the removals that a guard holds: let them go.",
    query: {},
    body: { author, reason: reason.optional() },
    answer: "Guard",
    refuses: ["SBX_ID_UNKNOWN", "SBX_NOT_CONFIGURED", "SBX_WRITE_REFUSED"],
    handle: async ({ body, parameters: { id = "" } }, context) => {
      const sources = configured(context, "decideGuard");
      const guard = guardRow(done(await sources.decideGuard(id, { type: "accept" }, body.author), `guard ${id}`));
      await context.accepted({ action: "guard-accept", subject: id, ...said(body), detail: guard });
      return guard;
    },
  }),
  route({
    method: "POST",
    path: "/v1/guards/{id}:extend",
    operation: "extendGuard",
    summary: "Hold removals for so long from now. A hold that ends later stays as it is.",
    query: {},
    body: { for: limitedDuration, author, reason: reason.optional() },
    answer: "Guard",
    refuses: ["SBX_ID_UNKNOWN", "SBX_NOT_CONFIGURED", "SBX_WRITE_REFUSED"],
    handle: async ({ body, parameters: { id = "" } }, context) => {
      configured(context, "guards");
      const sources = configured(context, "decideGuard");
      const now = (await sources.guards?.())?.find((guard) => guard.id === id);
      if (now === undefined) throw new ApiRefusal("SBX_ID_UNKNOWN", `There is no guard ${id}.`);
      if (now.holdUntil === undefined)
        throw new ApiRefusal("SBX_WRITE_REFUSED", "This guard holds until somebody accepts; there is no end to move.");
      const until = Math.max(now.holdUntil, context.now + body.for);
      const guard = guardRow(
        done(await sources.decideGuard(id, { type: "extend", until }, body.author), `guard ${id}`),
      );
      await context.accepted({ action: "guard-extend", subject: id, ...said(body), detail: guard });
      return guard;
    },
  }),
];

function said(body: { readonly author: string; readonly reason?: string | undefined }): {
  author: string;
  reason?: string;
} {
  return { author: body.author, ...(body.reason !== undefined && { reason: body.reason }) };
}

function guardRow(guard: GuardStatus): z.input<typeof schemas.Guard> {
  const { baseline, held, holdUntil, id, mode, registry, removed, scope, service, since, suspected } = guard;
  return {
    id,
    scope,
    registry,
    ...(service !== undefined && { service }),
    since,
    removed,
    baseline,
    held,
    ...(holdUntil !== undefined && { holdUntil }),
    mode,
    ...(suspected !== undefined && { suspected }),
  };
}
