import { readFileSync, writeFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { metricCatalogue } from "./metric-catalogue.ts";
import { createMetrics } from "./metrics.ts";
import { sources } from "./testdata/world.ts";

const file = new URL("../../../docs/reference/metrics.md", import.meta.url);
const row = /^\| `([a-z_0-9]+)` *\| ([a-z]+) *\| ([^|]*?) *\| (.*?) *\|$/;

function cells(): string[][] {
  return metricCatalogue.map(({ name, type, labels, help }) => [name, type, labels.join(", "), help]);
}

/** `UPDATE_GOLDEN=1` writes the table anew; format the file with Prettier afterwards. */
function readDocument(): string {
  const text = readFileSync(file, "utf8");
  if (process.env["UPDATE_GOLDEN"] !== "1") return text;
  const head = ["| Name | Type | Labels | Meaning |", "| --- | --- | --- | --- |"];
  const rows = cells().map(([name = "", ...rest]) => `| \`${name}\` | ${rest.join(" | ")} |`);
  const updated = text.replace(
    /(<!-- table -->\n).*?(\n<!-- end of table -->)/s,
    (_, start: string, end: string) => `${start}\n${[...head, ...rows].join("\n")}\n${end}`,
  );
  writeFileSync(file, updated);
  return updated;
}

describe("the metric catalogue", () => {
  it("is what docs/reference/metrics.md says, row by row", () => {
    const [table = ""] = /<!-- table -->.*<!-- end of table -->/s.exec(readDocument()) ?? [];
    const documented = table
      .split("\n")
      .map((line) => row.exec(line)?.slice(1))
      .filter((found) => found !== undefined);
    expect(documented).toEqual(cells());
  });

  it("is what a scrape shows, name by name", async () => {
    const metrics = createMetrics({ sources: sources(), processMetrics: false });
    const text = await metrics.text();
    const shown = [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name, type]) => [name, type]);
    expect(shown.sort()).toEqual(metricCatalogue.map(({ name, type }) => [name, type]).sort());
  });

  it("has no label for nodes, one bounded metric with services, and names by Prometheus' rules", () => {
    const withService = metricCatalogue.filter(({ labels }) => labels.includes("service")).map(({ name }) => name);
    // The service of the second one is a gRPC service, of which there are seven.
    expect(withService).toEqual(["signalbox_drift_instances", "signalbox_xds_streams_total"]);
    for (const { name, type, labels } of metricCatalogue) {
      expect(name).toMatch(/^(pilot|signalbox)_[a-z0-9_]+$/);
      for (const label of labels) expect(["node", "node_id", "proxy", "host", "namespace"]).not.toContain(label);
      if (name.startsWith("signalbox_") && type === "counter") expect(name).toMatch(/_total$/);
    }
    expect(new Set(metricCatalogue.map(({ name }) => name)).size).toBe(metricCatalogue.length);
  });
});
