import type { ServiceKey } from "@signalbox/model";
import type { z } from "zod";
import { ApiRefusal } from "../failure.ts";
import { findService } from "../find-service.ts";
import { author, reason, registryPattern } from "../parameters.ts";
import { configured, route } from "../route.ts";
import type { Route, RouteContext } from "../route.ts";
import type { schemas } from "../schemas.ts";
import type { MigrationView, RampStatus } from "../sources.ts";
import { done } from "../write.ts";

/** How far a service's way from one registry to another is. */
export const migrationRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/v1/migration/{service}",
    operation: "getMigration",
    summary: "Whether two registries say the same about a service, and what keeps it from moving.",
    query: { from: registryPattern.optional(), to: registryPattern.optional() },
    answer: "Migration",
    refuses: ["SBX_NOT_CONFIGURED", "SBX_NO_MIGRATION", "SBX_SERVICE_AMBIGUOUS", "SBX_SERVICE_UNKNOWN"],
    handle: async ({ parameters, query }, context) => {
      const sources = configured(context, "migration");
      const service = serviceOf(parameters, context);
      const { from, to } = query;
      const sides = { ...(from !== undefined && { from }), ...(to !== undefined && { to }) };
      const view = await sources.migration(service, sides);
      if (view === undefined)
        throw new ApiRefusal(
          "SBX_NO_MIGRATION",
          `Nothing says from where to where ${service} moves: give from and to.`,
        );
      return migrationRow(view);
    },
  }),
  rampRoute("rollback", "rollbackMigration", "Go back at once to the weights before the last step."),
  rampRoute("resume", "resumeMigration", "Go on with a ramp that was rolled back."),
];

function rampRoute(action: "rollback" | "resume", operation: string, summary: string): Route {
  return route({
    method: "POST",
    path: `/v1/migration/{service}:${action}`,
    operation,
    summary,
    query: {},
    body: { author, reason: reason.optional() },
    answer: "Ramp",
    refuses: [
      "SBX_ID_UNKNOWN",
      "SBX_NOT_CONFIGURED",
      "SBX_SERVICE_AMBIGUOUS",
      "SBX_SERVICE_UNKNOWN",
      "SBX_WRITE_REFUSED",
    ],
    handle: async ({ body, parameters }, context) => {
      const sources = configured(context, "rampAction");
      const service = serviceOf(parameters, context);
      const ramp = rampRow(done(await sources.rampAction(service, action, body.author), `ramp of ${service}`));
      await context.accepted({
        action: `migration-${action}`,
        subject: service,
        author: body.author,
        ...(body.reason !== undefined && { reason: body.reason }),
        detail: ramp,
      });
      return ramp;
    },
  });
}

function serviceOf({ service = "" }: Readonly<Record<string, string>>, { sources }: RouteContext): ServiceKey {
  return findService(sources.catalog(), service);
}

function migrationRow({ report, ramp }: MigrationView): z.input<typeof schemas.Migration> {
  const { version, zone } = report.spread;
  return {
    ...report,
    onlyInFrom: [...report.onlyInFrom],
    onlyInTo: [...report.onlyInTo],
    portDeltas: [...report.portDeltas],
    protocolDeltas: [...report.protocolDeltas],
    labelDeltas: [...report.labelDeltas],
    spread: { version: [...version], zone: [...zone] },
    blockers: [...report.blockers],
    ...(ramp && { ramp: rampRow(ramp) }),
  };
}

function rampRow({ detail, nextStepAt, since, state, weights }: RampStatus): z.input<typeof schemas.Ramp> {
  return {
    state,
    weights: { ...weights },
    ...(since !== undefined && { since }),
    ...(nextStepAt !== undefined && { nextStepAt }),
    ...(detail !== undefined && { detail }),
  };
}
