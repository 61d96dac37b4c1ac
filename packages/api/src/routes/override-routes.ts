import { byCodeUnit, instanceKey } from "@signalbox/model";
import type { ServiceKey } from "@signalbox/model";
import type { Override } from "@signalbox/policy";
import { z } from "zod";
import { isAsked, parseAddress } from "../address-text.ts";
import { limitedDuration } from "../duration.ts";
import { ApiRefusal } from "../failure.ts";
import { findService } from "../find-service.ts";
import { nearest } from "../near.ts";
import { author, reason, serviceName } from "../parameters.ts";
import { configured, route } from "../route.ts";
import type { Route, RouteContext } from "../route.ts";
import { done } from "../write.ts";

/** Envoy's weight is a uint32. */
const largestWeight = 4_294_967_295;
const mostNear = 5;

/** A person's word on single endpoints. */
export const overrideRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/v1/overrides",
    operation: "listOverrides",
    summary: "Overrides in force, by service and address.",
    query: {},
    answer: "OverrideList",
    refuses: ["SBX_NOT_CONFIGURED"],
    handle: async (_, context) => {
      const overrides = await configured(context, "overrides").overrides();
      const items = [...overrides].sort(
        (a, b) => byCodeUnit(a.service, b.service) || byCodeUnit(a.address, b.address) || byCodeUnit(a.id, b.id),
      );
      return { items };
    },
  }),
  route({
    method: "POST",
    path: "/v1/overrides",
    operation: "addOverride",
    summary: "Hold or drain an endpoint, or give it a weight, for a time.",
    query: {},
    body: {
      service: serviceName,
      address: z
        .string()
        .min(1)
        .max(300)
        .meta({ description: "Of an endpoint of the service; the port may be left out." }),
      action: z.enum(["hold", "drain", "weight"]).meta({
        description:
          "`hold`: stays healthy, whatever its registry says of its health. `drain`: takes no new traffic. `weight`: takes this weight.",
      }),
      weight: z
        .int()
        .min(0)
        .max(largestWeight)
        .optional()
        .meta({ description: "With the action `weight`, and only there." }),
      for: limitedDuration,
      author,
      reason,
    },
    answer: "Override",
    status: 201,
    refuses: [
      "SBX_ADDRESS_AMBIGUOUS",
      "SBX_ADDRESS_UNKNOWN",
      "SBX_NOT_CONFIGURED",
      "SBX_SERVICE_AMBIGUOUS",
      "SBX_SERVICE_UNKNOWN",
      "SBX_WRITE_REFUSED",
    ],
    handle: async ({ body }, context) => {
      const sources = configured(context, "addOverride");
      const action = actionOf(body.action, body.weight);
      const service = findService(sources.catalog(), body.service);
      const address = findAddress(context, service, body.address);
      const { now } = context;
      const written = await sources.addOverride({
        service,
        address,
        action,
        author: body.author,
        reason: body.reason,
        since: now,
        until: now + body.for,
      });
      const override = done(written, `endpoint ${address}`);
      await context.accepted({
        action: "override-add",
        subject: override.id,
        author: body.author,
        reason: body.reason,
        detail: override,
      });
      return override;
    },
  }),
  route({
    method: "DELETE",
    path: "/v1/overrides/{id}",
    operation: "removeOverride",
    summary: "End an override before its time.",
    // A body of DELETE does not pass every proxy.
    query: { author, reason: reason.optional() },
    answer: "Override",
    refuses: ["SBX_ID_UNKNOWN", "SBX_NOT_CONFIGURED", "SBX_WRITE_REFUSED"],
    handle: async ({ parameters: { id = "" }, query }, context) => {
      const override = done(
        await configured(context, "removeOverride").removeOverride(id, query.author),
        `override ${id}`,
      );
      await context.accepted({
        action: "override-remove",
        subject: id,
        author: query.author,
        ...(query.reason !== undefined && { reason: query.reason }),
        detail: override,
      });
      return override;
    },
  }),
];

function actionOf(type: "hold" | "drain" | "weight", weight: number | undefined): Override["action"] {
  if (type !== "weight") {
    if (weight === undefined) return { type };
    throw fault(`goes only with the action weight, not with ${type}`);
  }
  if (weight === undefined) throw fault("is required with the action weight");
  return { type, weight };
}

function fault(problem: string): ApiRefusal {
  return new ApiRefusal("SBX_BODY", `The body has mistakes: weight: ${problem}.`, {
    fields: [{ field: "weight", problem }],
  });
}

/** The one endpoint that a person means: an override on an address that nobody tells of would do nothing, and be believed. */
function findAddress({ sources }: RouteContext, service: ServiceKey, text: string): string {
  const served = sources.catalog().entries.get(service)?.instances ?? [];
  const told = sources.explain(service)?.candidates ?? [];
  const known = new Set([
    ...served.map(({ addresses: [primary] }) => instanceKey(primary)),
    ...told.map(({ address }) => address),
  ]);
  const asked = parseAddress(text);
  const [only, ...others] = [...known].filter((address) => isAsked(asked, address)).sort(byCodeUnit);
  if (only === undefined) {
    const near = nearest(text, known, mostNear);
    throw new ApiRefusal("SBX_ADDRESS_UNKNOWN", `No registry tells of ${text} in ${service}.`, { near });
  }
  if (others.length > 0)
    throw new ApiRefusal("SBX_ADDRESS_AMBIGUOUS", `${service} has several ports at ${text}; give one of them.`, {
      addresses: [only, ...others],
    });
  return only;
}
