import { readFileSync } from "node:fs";
import { join } from "node:path";
import { metricCatalogue } from "@signalbox/debug";
import { parseDocuments } from "@signalbox/files";
import { describe, expect, it } from "vitest";

const root = join(import.meta.dirname, "..", "..", "..");
const read = (path: string) => readFileSync(join(root, path), "utf8");
const file = "deploy/prometheus/signalbox.rules.yml";

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

const { documents, errors, warnings } = parseDocuments(read(file), { file });
const { groups } = documents[0]?.value as { groups: { name: string; rules: Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);

/** Label names of the table in docs/reference/metrics.md, by metric. */
const documented = new Map(
  [...read("docs/reference/metrics.md").matchAll(/^\| `([a-z_0-9]+)` *\| [a-z]+ *\| ([^|]*?) *\|/gm)].map(
    ([, name = "", labels = ""]) => [name, labels === "" ? [] : labels.split(", ")],
  ),
);

/** Metrics of an expression, each with the labels that are asked of it. */
function metricsIn(expr: string): { readonly name: string; readonly labels: readonly string[] }[] {
  return [...expr.matchAll(/\b((?:signalbox|pilot)_[a-z0-9_]+)(?:\{([^}]*)\})?/g)].map(
    ([, name = "", inside = ""]) => ({
      name,
      labels: [...inside.matchAll(/([a-z_]+)\s*(?:=~|!~|!=|=)/g)].map(([, label = ""]) => label),
    }),
  );
}

describe(file, () => {
  it("is YAML without mistakes", () => {
    expect([...errors, ...warnings]).toEqual([]);
    expect(documents).toHaveLength(1);
    expect(rules.length).toBeGreaterThanOrEqual(7);
  });

  it("gives every alert a name of its own", () => {
    expect(new Set(rules.map(({ alert }) => alert)).size).toBe(rules.length);
    expect(new Set(groups.map(({ name }) => name)).size).toBe(groups.length);
  });

  describe.each(rules)("$alert", ({ alert, annotations, expr, labels, ...more }) => {
    it("asks for metrics that exist, with labels that they have", () => {
      const asked = metricsIn(expr);
      expect(asked).not.toEqual([]);
      for (const one of asked) {
        expect([...documented.keys()]).toContain(one.name);
        for (const label of one.labels) expect(documented.get(one.name), one.name).toContain(label);
      }
    });

    it("keeps and shows labels that the metric has", () => {
      const has = metricsIn(expr).flatMap(({ name }) => documented.get(name) ?? []);
      const by = [...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, names = ""]) => names.split(", "));
      for (const label of by) expect(has).toContain(label);
      const isAggregated = /\b(sum|max|min)\b/.test(expr);
      const shown = [...(annotations["summary"] ?? "").matchAll(/\$labels\.([a-z_]+)/g)].map(([, label]) => label);
      for (const label of shown) expect(isAggregated ? by : [...has, "instance", "job"]).toContain(label);
    });

    it("only compares values that a label can have", () => {
      const values = [...expr.matchAll(/[a-z]+=~?"([^"]*)"/g)].flatMap(([, value = ""]) => value.split("|"));
      const { help = "" } = metricCatalogue.find(({ name }) => name === metricsIn(expr)[0]?.name) ?? {};
      for (const value of values) expect(help).toMatch(new RegExp(`\\b${value}\\b`));
    });

    it("says how bad it is, what it is and what to do", () => {
      expect(alert).toMatch(/^Signalbox[A-Z][A-Za-z]+$/);
      expect(["critical", "warning"]).toContain(labels["severity"]);
      expect(Object.keys(annotations).sort()).toEqual(["runbook", "summary"]);
      expect(annotations["runbook"]).toMatch(/^[A-Z/].{40,}\.$/);
      expect(more.for ?? "1m").toMatch(/^\d+[smh]$/);
    });

    it("names only pages and log events that exist", () => {
      const text = `${annotations["summary"] ?? ""} ${annotations["runbook"] ?? ""}`;
      const events = read("docs/reference/events.md");
      const named = [...text.matchAll(/\bthe log \(([^)]*)\)/gi)].flatMap(([, names = ""]) => names.split(", "));
      for (const event of named) expect(events).toContain(`| \`${event}\``);
      for (const [page] of text.matchAll(/\/debug\/[a-z_]+/g)) expect(read("packages/debug/README.md")).toContain(page);
    });
  });

  it("is where the documentation says", () => {
    for (const page of ["docs/guide/one-catalog.md", "docs/reference/metrics.md"])
      expect(read(page)).toContain(`(../../${file})`);
  });
});
