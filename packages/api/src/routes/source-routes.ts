import { byCodeUnit } from "@signalbox/model";
import type { Catalog } from "@signalbox/model";
import { route } from "../route.ts";
import type { Route } from "../route.ts";

/** The sources, each with its state. */
export const sourceRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/v1/sources",
    operation: "listSources",
    summary: "Sources with state, age, problem and counts, by id.",
    query: {},
    answer: "SourceList",
    refuses: [],
    handle: (_, { sources }) => {
      const endpoints = endpointsByRegistry(sources.catalog());
      const items = sources.sources().map((source) => ({
        id: source.id,
        state: source.state,
        ...(source.problem !== undefined && { problem: source.problem }),
        services: source.services,
        endpoints: endpoints.get(source.id) ?? 0,
        ...(source.lastCompleteRead !== undefined && { lastCompleteRead: source.lastCompleteRead }),
        ...(source.ageMs !== undefined && { ageMs: source.ageMs }),
        ...(source.withheld && { withheld: source.withheld }),
        ...(source.deprioritised && { deprioritised: source.deprioritised }),
        ...(source.lastError && { lastError: source.lastError.message }),
        ...(source.restarts !== undefined && { restarts: source.restarts }),
        ...(source.rejected !== undefined && { rejected: source.rejected }),
        ...(source.unmerged !== undefined && { unmerged: source.unmerged }),
      }));
      return { items: items.sort((a, b) => byCodeUnit(a.id, b.id)) };
    },
  }),
];

function endpointsByRegistry({ entries }: Catalog): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { instances } of entries.values())
    for (const { provenance } of instances)
      for (const registry of new Set(provenance.map((one) => one.registry)))
        counts.set(registry, (counts.get(registry) ?? 0) + 1);
  return counts;
}
