import { byCodeUnit } from "@signalbox/model";
import { fits } from "@signalbox/policy";
import { z } from "zod";
import { findService } from "../find-service.ts";
import { registryPattern, serviceName } from "../parameters.ts";
import { configured, route } from "../route.ts";
import type { Route } from "../route.ts";
import type { DriftRow } from "../sources.ts";

const verdicts = [
  "CONFIRMED",
  "GHOST",
  "IMPOSTOR",
  "NOT_READY",
  "PORT_MISMATCH",
  "TERMINATING",
  "UNREGISTERED",
  "UNVERIFIABLE",
] as const satisfies readonly DriftRow["verdict"][];

/** What registries and workloads say differently. */
export const driftRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/v1/drift",
    operation: "listDrift",
    summary: "Endpoints whose registry and whose workloads were compared, by service, registry and address.",
    query: {
      service: serviceName.optional(),
      registry: registryPattern.optional(),
      verdict: z.enum(verdicts, `must be one of ${verdicts.join(", ")}`).optional(),
    },
    answer: "DriftList",
    refuses: ["SBX_NOT_CONFIGURED", "SBX_SERVICE_AMBIGUOUS", "SBX_SERVICE_UNKNOWN"],
    handle: async ({ query }, context) => {
      const sources = configured(context, "drift");
      const { registry, service, verdict } = query;
      const only = service === undefined ? undefined : findService(sources.catalog(), service);
      const rows = (await sources.drift()).filter(
        (row) =>
          (only === undefined || row.service === only) &&
          (registry === undefined || fits(registry, row.registry)) &&
          (verdict === undefined || row.verdict === verdict),
      );
      const items = rows.map(({ service: key, registry: id, address, verdict: code, action, since, detail }) => ({
        service: key,
        registry: id,
        address,
        verdict: code,
        action,
        since,
        detail,
      }));
      return {
        items: items.sort(
          (a, b) =>
            byCodeUnit(a.service, b.service) || byCodeUnit(a.registry, b.registry) || byCodeUnit(a.address, b.address),
        ),
      };
    },
  }),
];
