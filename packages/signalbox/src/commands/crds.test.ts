import { parseDocuments } from "@signalbox/files";
import { describe, expect, it } from "vitest";
import { main } from "../cli.ts";
import { capturedContext } from "../testing/captured-context.ts";

async function crds(...flags: string[]): Promise<string> {
  const context = capturedContext();
  expect(await main(["crds", ...flags], context)).toBe(0);
  return context.out();
}

describe("signalbox crds", () => {
  it("prints one document for each kind", async () => {
    const { documents, errors } = parseDocuments(await crds(), { file: "crds.yaml", maxBytes: 1e8 });
    expect(errors).toEqual([]);
    const names = documents.map(({ value }) => (value as { metadata: { name: string } }).metadata.name);
    expect(names).toHaveLength(13);
    expect(names).toContain("virtualservices.networking.istio.io");
  });

  it("prints the same as a list in JSON", async () => {
    const { kind, items } = JSON.parse(await crds("-o", "json")) as { kind: string; items: readonly object[] };
    expect(kind).toBe("List");
    const { documents } = parseDocuments(await crds("-o", "yaml"), { file: "crds.yaml", maxBytes: 1e8 });
    expect(documents.map(({ value }) => value)).toEqual(items);
  });
});
