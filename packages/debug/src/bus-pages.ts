import { contentHash } from "@signalbox/model";
import type { Catalog } from "@signalbox/model";
import type { Page } from "./answer.ts";
import { sortedEntries } from "./service-pages.ts";
import type { DebugSources } from "./sources.ts";

/** The page about the bus between the catalog and its publishers. */
export function busPages(sources: DebugSources): Page[] {
  if (sources.bus === undefined) return [];
  return [
    {
      path: "/debug/busz",
      help: "The bus as this process sees it, and a hash of the catalog that is equal wherever the catalog is.",
      answer: () => {
        const catalog = sources.catalog();
        return {
          type: "json",
          value: {
            ...sources.bus?.(),
            ...(catalog && { services: catalog.entries.size, catalogHash: catalogHash(catalog) }),
          },
        };
      },
    },
  ];
}

/** Equal for equal services and endpoints, in every process and at every revision. */
function catalogHash(catalog: Catalog): string {
  return contentHash(sortedEntries(catalog).map(({ key, versions }) => [key, versions.service, versions.instances]));
}
