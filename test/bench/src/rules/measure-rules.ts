import { typeUrls, type TypeUrl } from "@signalbox/envoy-api";
import type { CatalogDelta, ConfigObject, Revision } from "@signalbox/model";
import { createTranslator, parseNode } from "@signalbox/xds";
import type { ChangedNames, ResourceView } from "@signalbox/xds-server";
import type { Row } from "../row.ts";
import { median, quantile } from "../statistics.ts";
import { now } from "../time.ts";
import { RulesWorld, type RulesWorldSize } from "./rules-world.ts";

/** What is measured with one catalog. */
export interface RulesTask {
  readonly world: RulesWorldSize;
  /** Without them, only the first snapshot is timed. */
  readonly withRules: boolean;
  /** Proxies that hold views. */
  readonly clients: number;
  /** Changes of each kind. */
  readonly changes: number;
}

/** One figure. */
export type RulesFigure = Pick<Row, "figure" | "unit" | "value">;

const none = { upserted: [], removed: [] };
const shownTypes = [
  ["clusters", typeUrls.cluster],
  ["assignments", typeUrls.endpoint],
  ["listeners", typeUrls.listener],
  ["route tables", typeUrls.route],
] as const;

/** All figures of one catalog through the translator, without a server. */
export function measureRules({ changes, clients, withRules, world: size }: RulesTask): readonly RulesFigure[] {
  const world = new RulesWorld(size);
  const content = world.content(withRules);
  const translator = createTranslator();
  let revision: Revision = { epoch: "bench", sequence: 1 };
  const begun = now();
  translator.apply({ v: 1, type: "snapshot", catalog: { ...content, revision } });
  const applied = now();
  const nodes = Array.from({ length: clients }, (_, index) => parseNode(world.client(index)));
  const viewsOf = () => new Set(nodes.map((node) => touchAll(translator.view(node))));
  let views: ReadonlySet<ResourceView> = viewsOf();
  const figures: RulesFigure[] = [
    { figure: "first snapshot", unit: "ms", value: applied - begun },
    { figure: "first views of all clients", unit: "ms", value: now() - applied },
  ];
  if (!withRules) return figures;

  /** Takes in a changed object, and gives all clients what they then have, as a publisher does. */
  const change = (object: ConfigObject) => {
    const previous = revision;
    revision = { ...revision, sequence: revision.sequence + 1 };
    const delta: CatalogDelta = { entries: none, workloads: none, objects: { upserted: [object], removed: [] } };
    const since = now();
    const told = translator.apply({ v: 1, type: "delta", previous, revision, delta });
    const after = told.everyone ? viewsOf() : views;
    const ms = now() - since;
    const moved = [...after].filter((view) => !views.has(view));
    for (const view of views) if (!after.has(view)) translator.forget(view);
    views = after;
    return { ms, moved: moved.length, views: told.views };
  };
  let number = 1;
  for (const { name, object } of world.changes()) {
    const samples = Array.from({ length: changes }, () => change(object(number++)));
    const times = samples.map(({ ms }) => ms);
    figures.push(
      { figure: `${name}, p50`, unit: "ms", value: quantile(times, 0.5) },
      { figure: `${name}, longest`, unit: "ms", value: Math.max(...times) },
      { figure: `${name}, other views`, unit: "views", value: median(samples.map(({ moved }) => moved)) },
    );
    for (const [what, type] of shownTypes) {
      const counts = samples.map(({ views: changed }) => countOf(changed, type));
      figures.push({ figure: `${name}, changed ${what}`, unit: "resources", value: median(counts) });
    }
  }
  return figures;
}

/** Resources of a type that are new or changed; one that several views share counts once. */
function countOf(changed: ReadonlyMap<ResourceView, ChangedNames>, type: TypeUrl): number {
  const found = new Set<object>();
  for (const [view, names] of changed) {
    for (const name of names.get(type) ?? []) {
      const resource = view.resources(type).get(name);
      if (resource !== undefined) found.add(resource);
    }
  }
  return found.size;
}

/** Patched views are made when they are first read. */
function touchAll(view: ResourceView): ResourceView {
  for (const [, type] of shownTypes) view.version(type);
  return view;
}
