import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { checkObject } from "@signalbox/istio-objects";
import { objectKey, registryId, type Catalog, type ConfigObject } from "@signalbox/model";
import { describe, expect, it } from "vitest";
import type { MeshConfig } from "./mesh.ts";
import { parseNode } from "./node.ts";
import { renderProxy } from "./render.ts";
import { catalogOf, entryOf, type ServiceSketch } from "./testing/catalog.ts";

interface GoldenCase {
  readonly mesh?: MeshConfig;
  readonly services: readonly ServiceSketch[];
  readonly rules?: readonly RuleSketch[];
  readonly nodes: Readonly<Record<string, unknown>>;
}

/** An Istio object in few words: `name` is `namespace/name`. */
interface RuleSketch extends Partial<Pick<ConfigObject, "labels" | "createdAt">> {
  readonly kind: string;
  readonly name: string;
  readonly spec: ConfigObject["spec"];
}

const inputs = new URL("../testdata/in/", import.meta.url);
const outputs = new URL("../testdata/out/", import.meta.url);
const update = process.env["UPDATE_GOLDEN"] === "1";

describe("translations", () => {
  const owned = new Set<string>();
  for (const file of readdirSync(inputs).sort()) {
    const golden = JSON.parse(readFileSync(new URL(file, inputs), "utf8")) as GoldenCase;
    const rules = golden.rules ?? [];
    if (rules.length > 0)
      it(`start from rules without mistakes in ${file}`, () => {
        const faults = rules.map(ruleOf).flatMap((rule) => checkObject(rule));
        expect(faults.filter(({ severity }) => severity === "error")).toEqual([]);
      });
    for (const [name, node] of Object.entries(golden.nodes)) {
      const target = `${file.replace(/\.json$/, "")}.${name}.json`;
      owned.add(target);
      it(`give ${target}`, () => {
        const options = golden.mesh === undefined ? {} : { mesh: golden.mesh };
        const rendered = renderProxy(worldOf(golden), parseNode(node), options);
        const text = `${JSON.stringify(rendered, undefined, 1)}\n`;
        if (update) writeFileSync(new URL(target, outputs), text);
        expect(text).toBe(readFileSync(new URL(target, outputs), "utf8"));
      });
    }
  }

  it("leave no output that no case owns", () => {
    const stale = readdirSync(outputs).filter((file) => !owned.has(file));
    if (update) for (const file of stale) rmSync(new URL(file, outputs));
    expect(update ? [] : stale).toEqual([]);
  });
});

function worldOf({ services, rules = [] }: GoldenCase): Catalog {
  const objects = rules.map(ruleOf).map((rule) => [objectKey(rule), rule] as const);
  return { ...catalogOf(services.map(entryOf)), objects: new Map(objects) };
}

function ruleOf({ kind, name, ...rest }: RuleSketch): ConfigObject {
  const [namespace = "", last = ""] = name.split("/");
  const provenance = { registry: registryId("test", "one"), object: `${kind} ${name}` };
  return { labels: {}, annotations: {}, createdAt: 1, ...rest, kind, namespace, name: last, provenance };
}
