import { author, reason } from "../parameters.ts";
import { configured, route } from "../route.ts";
import type { Route } from "../route.ts";
import { done } from "../write.ts";

/** Ghosts that registries are told of, and a person's word where that stopped by itself. */
export const withdrawalRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/v1/withdrawals",
    operation: "getWithdrawals",
    summary: "Whether ghosts are withdrawn from their registries, how many were, and what is held back.",
    query: {},
    answer: "Withdrawals",
    refuses: ["SBX_NOT_CONFIGURED"],
    handle: async (_, context) => {
      const status = await configured(context, "withdrawals").withdrawals();
      return { ...status, held: [...status.held] };
    },
  }),
  route({
    method: "POST",
    path: "/v1/withdrawals:resume",
    operation: "resumeWithdrawals",
    summary: "Go on after withdrawals stopped by themselves. What was counted before counts no more.",
    query: {},
    body: { author, reason: reason.optional() },
    answer: "Withdrawals",
    refuses: ["SBX_NOT_CONFIGURED", "SBX_WRITE_REFUSED"],
    handle: async ({ body }, context) => {
      const sources = configured(context, "resumeWithdrawals");
      const status = done(await sources.resumeWithdrawals(body.author), "stop");
      const told = { ...status, held: [...status.held] };
      const said = { author: body.author, ...(body.reason !== undefined && { reason: body.reason }) };
      await context.accepted({ action: "withdrawals-resume", subject: "withdrawals", ...said, detail: told });
      return told;
    },
  }),
];
