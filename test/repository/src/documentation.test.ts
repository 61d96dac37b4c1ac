import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "../../..");
const read = (path: string) => readFileSync(join(root, path), "utf8");

/** What runs in the product: no tests, no test kits, nothing generated. */
function productSources(): { readonly name: string; readonly path: string; readonly text: string }[] {
  return ["packages", "adapters"].flatMap((group) =>
    readdirSync(join(root, group)).flatMap((name) => {
      const folder = join(group, name, "src");
      if (!existsSync(join(root, folder))) return [];
      return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
        .filter((path) => path.endsWith(".ts") && !path.endsWith(".test.ts"))
        .filter((path) => !/(^|\/)(testing|testdata|conformance|gen)\//.test(path))
        .map((path) => ({ name, path: join(folder, path), text: read(join(folder, path)) }));
    }),
  );
}

/** The cells of all table rows that begin with a name in backticks. */
function rows(text: string): string[][] {
  return text
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .map((line) =>
      line
        .split("|")
        .slice(1, -1)
        .map((cell) => cell.trim().replace(/^`([^`]*)`$/, "$1")),
    );
}

const sources = productSources();
const sorted = (texts: Iterable<string>) => [...new Set(texts)].sort();

describe("the table of error codes", () => {
  const table = rows(read("docs/reference/errors.md"));
  const codes = (text: string) => [...text.matchAll(/\bSBX_[A-Z_]+\b/g)].map(([code]) => code);

  it("has every code of the source once, and no other", () => {
    expect(table.map(([code = ""]) => code).sort()).toEqual(sorted(sources.flatMap(({ text }) => codes(text))));
  });

  it.each(table)("names the place of %s", (code, made, folder) => {
    const files = sources.filter(({ name, text }) => name === folder && codes(text).includes(code));
    expect(files, `${code} in ${folder}`).not.toEqual([]);
    // The second column is a class, or the HTTP status of an answer.
    const isStatus = /^\d/.test(made);
    if (!isStatus) expect(files.some(({ text }) => text.includes(`class ${made} extends Error`))).toBe(true);
  });

  it("is in order", () => {
    for (const part of read("docs/reference/errors.md").split("\n## ").slice(1)) {
      const listed = rows(part).map(([code]) => code);
      expect(listed).toEqual(listed.toSorted());
    }
  });
});

describe("the table of log events", () => {
  const table = rows(read("docs/reference/events.md"));
  const call = /\blogger\??\.(debug|info|warn|error)\(\s*([^,)]*)/gi;
  const calls = sources.flatMap(({ path, text }) =>
    [...text.matchAll(call)].map(([, level = "", first = ""]) => ({ path, level, first: first.trim() })),
  );
  /** A logger that stands before another one hands names on. */
  const forwarders = ["event", "fields(given"];

  it("can know every event, because names are written where they are logged", () => {
    const unknown = calls.filter(({ first }) => !/^"[a-z]+(-[a-z]+)*"$/.test(first) && !forwarders.includes(first));
    expect(unknown).toEqual([]);
  });

  it("has every event of the source with its level, and no other", () => {
    const logged = calls.flatMap(({ level, first }) =>
      first.startsWith('"') ? [`${first.slice(1, -1)} ${level.toLowerCase()}`] : [],
    );
    expect(logged.length).toBeGreaterThan(40);
    expect(table.map(([name = "", level = ""]) => `${name} ${level}`)).toEqual(sorted(logged));
  });
});

describe("the table of the registries' metrics", () => {
  const [, text = ""] =
    /<!-- table of registries -->(.*)<!-- end of table of registries -->/s.exec(read("docs/reference/metrics.md")) ??
    [];
  const table = rows(text);
  // The debug package makes the metrics that registries ask for; it records none of its own in this way.
  const calls = sources
    .filter(({ path }) => !path.startsWith("packages/debug/"))
    .flatMap(({ name, text: code }) =>
      [...code.matchAll(/(\.|\b)(counter|histogram)\(\s*([^,)]*)(.*?)\)\s*[;,]/gs)]
        .map(([, dot = "", type = "", first = "", rest = ""]) => ({ dot, by: name, type, first: first.trim(), rest }))
        // Without a dot it may be the declaration of such a function.
        .filter(({ dot, first }) => dot === "." || first.startsWith('"'))
        .map(({ by, first, rest, type }) => ({ by, type, first, labels: labelsIn(rest) })),
    );
  /** Hands names on that are written where it is called. */
  const forwarders = ["name"];

  function labelsIn(rest: string): string {
    const [, inside = ""] = /\{([^{}]*)\}/.exec(rest) ?? [];
    const names = inside.split(",").map((part) => part.split(":")[0]?.trim() ?? "");
    return names
      .filter((name) => name !== "")
      .sort()
      .join(", ");
  }

  it("can know every metric, because names are written where they are recorded", () => {
    const unknown = calls.filter(({ first }) => !/^"[a-z]+(_[a-z]+)*"$/.test(first) && !forwarders.includes(first));
    expect(unknown).toEqual([]);
    expect(calls.filter(({ first }) => forwarders.includes(first)).length).toBeLessThanOrEqual(1);
  });

  it("has every metric of the source with its package, type and labels, and no other", () => {
    const recorded = calls.flatMap(({ by, first, labels, type }) =>
      first.startsWith('"') ? [`signalbox_${first.slice(1, -1)} ${by} ${type} ${labels}`] : [],
    );
    expect(recorded.length).toBeGreaterThan(30);
    expect(table.map(([name, by, type, labels]) => `${name} ${by} ${type} ${labels}`)).toEqual(sorted(recorded));
  });

  it("names metrics as Prometheus does, and those of adapters after the adapter", () => {
    for (const [name = "", by = "", type, , meaning] of table) {
      expect(name).toMatch(type === "counter" ? /_total$/ : /_seconds$/);
      if (existsSync(join(root, "adapters", by))) expect(name).toMatch(new RegExp(`^signalbox_${by}_`));
      expect(meaning).toMatch(/^[A-Z].*\.$/);
    }
  });

  it.each(readdirSync(join(root, "adapters")))("has reads, errors and the age of %s", (adapter) => {
    const names = table.filter(([, by]) => by === adapter).map(([name = ""]) => name);
    expect(names.filter((name) => /_(reads|files_read|lists)_total$/.test(name))).not.toEqual([]);
    expect(names.filter((name) => /_(read_errors|files_rejected)_total$/.test(name))).not.toEqual([]);
    expect(read("docs/reference/metrics.md")).toContain("| `signalbox_registry_age_seconds`");
    // The READMEs send there.
    expect(read(`adapters/${adapter}/README.md`)).toContain(`\`signalbox_${adapter}_*\``);
  });
});
