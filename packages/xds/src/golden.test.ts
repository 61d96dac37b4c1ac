import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import type { MeshConfig } from "./mesh.ts";
import { parseNode } from "./node.ts";
import { renderProxy } from "./render.ts";
import { catalogOf, entryOf, type ServiceSketch } from "./testing/catalog.ts";

interface GoldenCase {
  readonly mesh?: MeshConfig;
  readonly services: readonly ServiceSketch[];
  readonly nodes: Readonly<Record<string, unknown>>;
}

const inputs = new URL("../testdata/in/", import.meta.url);
const outputs = new URL("../testdata/out/", import.meta.url);
const update = process.env["UPDATE_GOLDEN"] === "1";

describe("translations", () => {
  const owned = new Set<string>();
  for (const file of readdirSync(inputs).sort()) {
    const golden = JSON.parse(readFileSync(new URL(file, inputs), "utf8")) as GoldenCase;
    for (const [name, node] of Object.entries(golden.nodes)) {
      const target = `${file.replace(/\.json$/, "")}.${name}.json`;
      owned.add(target);
      it(`give ${target}`, () => {
        const options = golden.mesh === undefined ? {} : { mesh: golden.mesh };
        const rendered = renderProxy(catalogOf(golden.services.map(entryOf)), parseNode(node), options);
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
