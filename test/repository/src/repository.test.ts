import { existsSync, readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "../../..");
const read = (path: string) => readFileSync(join(root, path), "utf8");
const folders = (group: string) =>
  readdirSync(join(root, group), { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && existsSync(join(root, group, entry.name, "package.json")))
    .map((entry) => `${group}/${entry.name}`);

interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly license?: string;
  readonly exports?: Record<string, Record<string, string>>;
  readonly dependencies?: Record<string, string>;
  readonly devDependencies?: Record<string, string>;
}
const manifest = (folder: string) => JSON.parse(read(`${folder}/package.json`)) as Manifest;

const published = [...folders("packages"), ...folders("adapters")];
const everything = [...published, ...folders("test")];

describe("the repository", () => {
  it("gives every package a row in the import table", () => {
    const cruiser = createRequire(import.meta.url)(join(root, ".dependency-cruiser.cjs")) as {
      forbidden: { name: string }[];
    };
    const rows = cruiser.forbidden.map((rule) => rule.name).filter((name) => name.startsWith("imports-of-"));
    expect(rows.sort()).toEqual(published.map((folder) => `imports-of-${folder.replace("/", "-")}`).sort());
  });

  it.each(everything)(
    "references in the TypeScript solution, dependencies and project references agree: %s",
    (folder) => {
      const { references } = JSON.parse(read("tsconfig.json")) as { references: { path: string }[] };
      expect(references.map((reference) => reference.path)).toContain(folder);
      const own = JSON.parse(read(`${folder}/tsconfig.json`)) as { references: { path: string }[] };
      const byName = new Map(everything.map((other) => [manifest(other).name, other]));
      const { dependencies = {}, devDependencies = {} } = manifest(folder);
      const workspaces = Object.keys({ ...dependencies, ...devDependencies }).flatMap((name) => byName.get(name) ?? []);
      const referenced = own.references.map((reference) => join(folder, reference.path));
      expect(referenced.sort()).toEqual([...new Set(workspaces)].sort());
    },
  );

  it("keeps all packages at one version", () => {
    const versions = new Map(everything.map((folder) => [manifest(folder).name, manifest(folder).version]));
    expect(new Set(versions.values()).size).toBe(1);
    for (const folder of everything) {
      for (const [name, range] of Object.entries(manifest(folder).dependencies ?? {})) {
        if (versions.has(name))
          expect(`${folder} ${name} ${range}`).toBe(`${folder} ${name} ${String(versions.get(name))}`);
      }
    }
  });

  it.each(published)("a published package has a README, a license and an entry point without a build: %s", (folder) => {
    expect(existsSync(join(root, folder, "README.md"))).toBe(true);
    expect(manifest(folder).license).toBe("Apache-2.0");
    expect(Object.keys(manifest(folder).exports?.["."] ?? {})[0]).toBe("@signalbox/source");
  });

  it.each(folders("adapters"))(
    "an adapter has exactly the standard files, and folders for their parts: %s",
    (folder) => {
      const parts = ["client", "convert", "registry", "testing"];
      const files = readdirSync(join(root, folder, "src")).filter(
        (name) => !name.endsWith(".test.ts") && !parts.includes(name),
      );
      expect(files.sort()).toEqual(["client.ts", "config.ts", "convert.ts", "index.ts", "registry.ts"]);
      const tests = readdirSync(join(root, folder, "src")).filter((name) => name.endsWith(".test.ts"));
      expect(tests).toEqual(expect.arrayContaining(["config.test.ts", "conformance.test.ts", "convert.test.ts"]));
    },
  );

  it.each(folders("adapters"))("an adapter is in the table of built-in adapters and in the README: %s", (folder) => {
    expect(read("packages/signalbox/src/builtin.ts")).toContain(`import("${manifest(folder).name}")`);
    expect(read("README.md")).toContain(folder);
  });

  it("lists in ARCHITECTURE.md every package and nothing that does not exist", () => {
    const text = read("ARCHITECTURE.md");
    const named = new Set([...text.matchAll(/`((?:packages|adapters)\/[a-z-]+)\/?`/g)].map((match) => match[1]));
    expect([...named].sort()).toEqual([...published].sort());
  });

  it("numbers the decision records without a gap, each with its three parts", () => {
    const records = readdirSync(join(root, "docs/adr")).sort();
    records.forEach((name, index) => {
      expect(name).toMatch(new RegExp(`^${String(index + 1).padStart(4, "0")}-[a-z0-9-]+\\.md$`));
      const text = read(`docs/adr/${name}`);
      for (const part of ["## Context", "## Decision", "## What we give up"])
        expect(`${name}: ${text}`).toContain(part);
    });
  });

  it("the lock file names no registry", () => {
    expect(read("package-lock.json")).not.toMatch(/"resolved": "https?:/);
  });
});
