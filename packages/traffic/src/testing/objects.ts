import { registryId, type CatalogDelta, type ConfigObject, type ObjectKey } from "@signalbox/model";
import type { Client } from "../client.ts";
import { createRuleBook, type RuleBookOptions } from "../create-rule-book.ts";
import type { RuleBook } from "../rule-book.ts";

/** An object of a kind, named `<namespace>/<name>`; `at` is its age in seconds. */
export function object(kind: string, name: string, spec: object, at?: number): ConfigObject {
  const [namespace = "", short = ""] = name.split("/");
  const provenance = { registry: registryId("static", "test"), object: `${kind} ${name}` };
  const base = { kind, namespace, name: short, labels: {}, annotations: {}, spec, provenance };
  return at === undefined ? base : { ...base, createdAt: at * 1000 };
}

/** Objects that come, and keys that go. */
export function change(upserted: readonly ConfigObject[], removed: readonly string[] = []): CatalogDelta["objects"] {
  return { upserted, removed: removed as readonly ObjectKey[] };
}

/** A book that holds these objects, all of which can be used: a test must not be about an object that is not there. */
export function bookOf(objects: readonly ConfigObject[], options?: RuleBookOptions): RuleBook {
  const book = createRuleBook(options);
  book.apply(change(objects));
  const unusable = book.status().filter(({ accepted }) => !accepted);
  if (unusable.length > 0) throw new Error(`not usable: ${JSON.stringify(unusable)}`);
  return book;
}

/** A mesh client of a namespace. */
export function client(namespace: string, labels: Client["labels"] = {}, locality = ""): Client {
  const [region = "", zone = "", subzone = ""] = locality.split("/");
  return { namespace, labels, locality: { region, zone, subzone }, kind: "mesh" };
}

/** A router of a namespace. */
export function router(namespace: string, labels: Client["labels"] = {}): Client {
  return { ...client(namespace, labels), kind: "router" };
}

/** An HTTP route that sends everything to one host. */
export function to(host: string, more: object = {}): object {
  return { route: [{ destination: { host } }], ...more };
}
