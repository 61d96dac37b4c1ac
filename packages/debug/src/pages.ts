import type { Page } from "./answer.ts";
import { busPages } from "./bus-pages.ts";
import { clientPages } from "./client-pages.ts";
import { configPages } from "./config-pages.ts";
import { healthPages } from "./health-pages.ts";
import { indexHtml } from "./index-page.ts";
import type { DebugServerOptions } from "./options.ts";
import { sortedBy } from "./order.ts";
import { profilePages } from "./profile.ts";
import { rulePages } from "./rule-pages.ts";
import { servicePages } from "./service-pages.ts";

/** All pages, sorted by path. */
export function debugPages(options: Pick<DebugServerOptions, "sources" | "metrics" | "profile">): Page[] {
  const { sources, metrics, profile = false } = options;
  const pages: Page[] = [
    ...healthPages(sources),
    ...servicePages(sources),
    ...busPages(sources),
    ...clientPages(sources),
    ...configPages(sources),
    ...rulePages(sources),
    ...profilePages(profile),
    {
      path: "/debug/list",
      help: "The names of all debug pages, as JSON.",
      answer: () => ({ type: "json", value: pageNames(all) }),
    },
    {
      path: "/debug",
      help: "This page.",
      answer: () => ({ type: "text", contentType: "text/html; charset=utf-8", body: indexHtml(all) }),
    },
  ];
  if (metrics !== undefined) {
    pages.push({
      path: "/metrics",
      help: "Metrics in Prometheus' text format.",
      answer: async () => ({ type: "text", contentType: metrics.contentType, body: await metrics.text() }),
    });
  }
  const all = sortedBy(pages, ({ path }) => path);
  return all;
}

/** As istiod's list: names below `/debug/`, without `list` itself and the profiles. */
function pageNames(pages: readonly Page[]): string[] {
  const prefix = "/debug/";
  const names = pages.filter(({ path }) => path.startsWith(prefix)).map(({ path }) => path.slice(prefix.length));
  return names.filter((name) => name !== "list" && !name.startsWith("pprof/"));
}
