import type { Cell } from "./cell.ts";
import type { Part } from "./product/messages.ts";
import { runsOf } from "./options.ts";
import { providePrograms } from "./programs.ts";
import { runScene, type SceneReport } from "./run-scene.ts";
import { rowsOf, type XdsRow } from "./summary.ts";

/** All that was measured. */
export interface XdsMeasured {
  readonly rows: readonly XdsRow[];
  /** What a reader of the table should know. */
  readonly remarks: readonly string[];
}

/** Measures the cells so often, the product and what is beside it in turn. */
export async function benchXds(cells: readonly Cell[], runs: number, signal: AbortSignal): Promise<XdsMeasured> {
  const programs = await providePrograms(signal);
  const rows: XdsRow[] = [];
  const remarks: string[] = [];
  for (let run = 1; run <= runs; run++) {
    for (const cell of cells.filter((one) => run <= runsOf(one, runs))) {
      const timer = stopwatch();
      const seen = await runScene(cell.scene, programs, signal);
      const own = timer();
      const both = run <= (cell.mostBesideRuns ?? run);
      const beside = cell.beside && both ? await runScene(cell.beside, programs, signal) : undefined;
      rows.push(...rowsOf(cell, run, seen, beside));
      remarks.push(...remarksOf(cell, seen));
      const took = beside ? `${own} s and ${timer()} s beside it` : `${own} s`;
      process.stderr.write(`xds: ${cell.name}, run ${run} of ${runsOf(cell, runs)}, ${took}\n`);
    }
  }
  return { rows, remarks };
}

/** Whole seconds since the last call, and at first since this one. */
function stopwatch(): () => number {
  let last = performance.now();
  return () => {
    const from = last;
    last = performance.now();
    return Math.round((last - from) / 1000);
  };
}

/** What the product's process says about itself, for each phase of the load. */
function remarksOf({ name, wanted }: Cell, { report: { samples } }: SceneReport): readonly string[] {
  const named = (parts: readonly Part[]) => parts.map((part) => `${part.what} ${part.ms.toFixed(1)} ms`).join(", ");
  const phases = [
    ["start", samples.before],
    ["sync", samples.settled],
    ["changes", samples.after_changes ?? samples.after_churn],
    ["clients go", samples.gone],
  ] as const;
  return phases.flatMap(([phase, sample]) => {
    const { loop, slices = [] } = sample?.server ?? {};
    const delays = wanted.some(({ figure }) => figure === "event loop delay, p50") ? undefined : loop;
    return [
      ...(delays
        ? [
            `${name}, ${phase}: event loop delay p50 ${delays.p50.toFixed(1)} ms, p99 ${delays.p99.toFixed(1)} ms, longest ${delays.max.toFixed(1)} ms; longest slice ${delays.slice.toFixed(1)} ms`,
          ]
        : []),
      ...slices.map(
        ({ functions, ms, parts }) =>
          `${name}, ${phase}: ${ms.toFixed(1)} ms without a break: ${named(parts)}; in ${named(functions)}`,
      ),
    ];
  });
}
