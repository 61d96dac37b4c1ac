import { byCodeUnit } from "@signalbox/model";
import { failure } from "./answer.ts";
import type { Answer, Page } from "./answer.ts";
import { sortedBy } from "./order.ts";
import { sortedClients } from "./proxies.ts";
import type { ClientView, DebugSources, FindingView, RuleView } from "./sources.ts";

/** So many rules are on a page where nothing else is asked, and at most. */
const usualRules = 100;
const mostRules = 1000;
/** For so many proxies it is found out which rules they use, in the order of their ids. */
const mostProxies = 1000;
/** So many of those that use a rule are named. */
const namedProxies = 20;

/** Pages about Istio's objects as rules: how each fares, who uses it, and what they say together. */
export function rulePages(sources: DebugSources): Page[] {
  return [
    {
      path: "/debug/analyze",
      help: "What Istio's objects say together and cannot mean, as istioctl analyze. ?kind=, ?namespace=.",
      answer: (query) => findings(sources, query),
    },
    {
      path: "/debug/rulesz",
      help: "How every Istio object fares and which proxies use it. ?kind=, ?namespace=, ?limit=<number>&after=<object>.",
      answer: (query) => rulesz(sources, query),
    },
  ];
}

function rulesz(sources: DebugSources, query: URLSearchParams): Answer {
  const all = sources.rules?.();
  if (all === undefined) return failure(404, "SBX_NO_RULES", "This process does not serve Istio's rules.");
  const limit = limitOf(query);
  if (limit === undefined)
    return failure(400, "SBX_LIMIT_INVALID", `limit must be a whole number from 1 to ${mostRules}.`);
  const asked = sortedBy(all, ({ key }) => key).filter(({ key }) => isAsked(key, query));
  const after = query.get("after") ?? "";
  const rest = asked.filter(({ key }) => byCodeUnit(key, after) > 0);
  const shown = rest.slice(0, limit);
  const proxies = newestOfEach(sources.clients());
  const looked = proxies.slice(0, mostProxies);
  const users = sources.ruleUsers?.(
    shown.map(({ key }) => key),
    looked,
  );
  const last = shown.at(-1);
  return {
    type: "json",
    value: {
      total: asked.length,
      ...(last !== undefined && shown.length < rest.length && { next: last.key }),
      ...(looked.length < proxies.length && { proxiesLeftOut: proxies.length - looked.length }),
      rules: shown.map((rule) => ruleShape(rule, users?.get(rule.key) ?? [])),
    },
  };
}

function ruleShape(
  { accepted, errors, faults, inForce, key, warnings }: RuleView,
  users: readonly ClientView[],
): object {
  const said = {
    ...(errors.length > 0 && { errors }),
    ...(warnings.length > 0 && { warnings }),
    ...(faults.length > 0 && { faults }),
  };
  if (makesServices(key)) return { object: key, accepted, ...said, note: "/debug/registryz shows what it makes" };
  return {
    object: key,
    accepted,
    inForce,
    ...said,
    proxyCount: users.length,
    ...(users.length > 0 && { proxies: users.slice(0, namedProxies).map(({ nodeId }) => nodeId) }),
  };
}

/** Objects that are services or endpoints of the catalog, and not rules about them. */
function makesServices(key: string): boolean {
  return key.startsWith("ServiceEntry/") || key.startsWith("WorkloadEntry/");
}

function findings(sources: DebugSources, query: URLSearchParams): Answer {
  const all = sources.analysis?.();
  if (all === undefined) return failure(503, "SBX_NO_CATALOG", "There is no catalog yet; /readyz says why.");
  return { type: "array", items: all.filter(({ object }) => isAsked(object, query)).map(findingShape) };
}

function findingShape({ code, level, message, object, path }: FindingView): object {
  return { code, level, object, path: fieldOf(path), message };
}

/** A path as `signalbox analyze` writes it: `spec.http[0].route`. */
function fieldOf(path: FindingView["path"]): string {
  return path
    .map((part, index) => (typeof part === "number" ? `[${part}]` : `${index === 0 ? "" : "."}${part}`))
    .join("");
}

/** Whether `?kind=` and `?namespace=` ask for an object. */
function isAsked(key: string, query: URLSearchParams): boolean {
  const [kind, namespace] = key.split("/");
  return [
    ["kind", kind],
    ["namespace", namespace],
  ].every(([name = "", value]) => (query.get(name) ?? "") === "" || query.get(name) === value);
}

function limitOf(query: URLSearchParams): number | undefined {
  const text = query.get("limit") ?? "";
  if (text === "") return usualRules;
  const limit = /^\d{1,4}$/.test(text) ? Number(text) : 0;
  return limit >= 1 && limit <= mostRules ? limit : undefined;
}

/** Proxies that said who they are, the newest stream of each. */
function newestOfEach(clients: readonly ClientView[]): readonly ClientView[] {
  const newest = new Map<string, ClientView>();
  for (const client of sortedClients(clients)) if (client.nodeId !== "") newest.set(client.nodeId, client);
  return [...newest.values()];
}
