import { join } from "node:path";
import { Child } from "../child.ts";
import { median } from "../statistics.ts";
import type { FigureName } from "../xds/cell.ts";
import { cells } from "../xds/cells.ts";
import { unitOf } from "../xds/figures.ts";
import { cellOf } from "../xds/options.ts";
import { providePrograms } from "../xds/programs.ts";
import { sourceOf, type Ablation } from "./ablation.ts";
import { copyBuilt } from "./built-copy.ts";
import type { SceneMeasured, SceneTask } from "./messages.ts";

/** A figure of the product as it is, and without something. */
export interface Difference {
  readonly ablation: string;
  readonly what: string;
  /** The source that was edited, below `packages`. */
  readonly where: string;
  readonly cell: string;
  readonly figure: FigureName;
  readonly unit: string;
  /** One value for each run. */
  readonly kept: readonly number[];
  readonly without: readonly number[];
}

/** Measures each ablation so often, in turn with an untouched copy. Rejects with an AblationError where an edit does not apply. */
export async function benchAblations(
  ablations: readonly Ablation[],
  runs: number,
  signal: AbortSignal,
): Promise<readonly Difference[]> {
  const programs = await providePrograms(signal);
  const [untouched, edited] = [await copyBuilt(), await copyBuilt()];
  try {
    // An edit that does not apply is said before hours of measuring.
    for (const ablation of ablations) await edited.without(ablation, () => Promise.resolve());
    const found: Difference[] = [];
    for (const ablation of ablations) {
      for (const name of new Set(ablation.looks.map(({ cell }) => cell))) {
        const figures = ablation.looks.filter(({ cell }) => cell === name).map(({ figure }) => figure);
        const task: SceneTask = { scene: cellOf(name, cells).scene, figures, programs };
        const kept: (readonly number[])[] = [];
        const without: (readonly number[])[] = [];
        for (let run = 1; run <= runs; run++) {
          kept.push(await measureIn(untouched.folder, task, signal));
          without.push(await edited.without(ablation, () => measureIn(edited.folder, task, signal)));
          process.stderr.write(`ablations: ${ablation.name}, ${name}, run ${run} of ${runs}\n`);
        }
        const values = (all: readonly (readonly number[])[], index: number) => all.flatMap((run) => run[index] ?? []);
        for (const [index, figure] of figures.entries()) {
          const { name: ablated, what } = ablation;
          const sides = { kept: values(kept, index), without: values(without, index) };
          found.push({
            ...{ ablation: ablated, what, where: sourceOf(ablation), cell: name, figure, unit: unitOf(figure) },
            ...sides,
          });
        }
      }
    }
    return found;
  } finally {
    await untouched.remove();
    await edited.remove();
  }
}

async function measureIn(folder: string, task: SceneTask, signal: AbortSignal): Promise<readonly number[]> {
  const child = new Child<SceneMeasured, never>(join(folder, "test/bench/dist/ablations/measured-scene.js"), task);
  try {
    return (await child.next("measured", signal)).values;
  } finally {
    await child.end();
  }
}

const heads = ["What", "Where", "Cell, figure", "With", "Without", "Ratio"];

/** A Markdown table with the medians of both, for the terminal and for pages. What stands in the row above is not repeated. */
export function ablationTable(differences: readonly Difference[]): string {
  const rows = differences.map((one, index) => {
    const again = differences[index - 1]?.ablation === one.ablation;
    const [kept, without] = [median(one.kept), median(one.without)];
    const shown = (value: number) => `${Number(value.toPrecision(3))} ${one.unit}`.trimEnd();
    const ratio = kept > 0 ? `${Number((without / kept).toPrecision(2))} ×` : "";
    return [
      ...(again ? ["", ""] : [one.what, `\`${one.where}\``]),
      ...[`\`${one.cell}\`, ${one.figure}`, shown(kept), shown(without), ratio],
    ];
  });
  const widths = heads.map((head, column) => Math.max(head.length, ...rows.map((row) => row[column]?.length ?? 0)));
  const lineOf = (row: readonly string[]) => `| ${row.map((cell, at) => cell.padEnd(widths[at] ?? 0)).join(" | ")} |`;
  return [heads, widths.map((width) => "-".repeat(width)), ...rows].map(lineOf).join("\n");
}
