import { median } from "../statistics.ts";
import type { Cell, FigureName, Scene, Target } from "./cell.ts";
import { figureOf, unitOf } from "./figures.ts";
import type { SceneReport } from "./run-scene.ts";

/** One figure of one run. */
export interface XdsRow {
  readonly cell: string;
  readonly figure: FigureName;
  readonly run: number;
  readonly value: number;
  readonly beside?: number;
}

/** One side of a figure over several runs. */
export interface Side {
  readonly median: number;
  readonly lowest: number;
  readonly highest: number;
}

/** A figure over all runs. */
export interface XdsSummary {
  readonly cell: string;
  readonly figure: FigureName;
  readonly unit: string;
  readonly runs: number;
  readonly value: Side;
  readonly beside?: Side & { readonly name: string; readonly runs: number };
  /** Median of the one divided by the median of the other; absent where that is 0. */
  readonly ratio?: number;
  readonly target?: Target;
  /** Whether the target is met; absent where there is none. */
  readonly met?: boolean;
}

/** The figures of a cell in one run. */
export function rowsOf(cell: Cell, run: number, seen: SceneReport, beside: SceneReport | undefined): readonly XdsRow[] {
  return cell.wanted.map(({ figure }) => ({
    cell: cell.name,
    figure,
    run,
    value: figureOf(figure, seen),
    ...(beside && { beside: figureOf(figure, beside) }),
  }));
}

/** One summary for each figure of the cells, in their order. Figures without rows are left out. */
export function summariseXds(cells: readonly Cell[], rows: readonly XdsRow[]): readonly XdsSummary[] {
  return cells.flatMap((cell) =>
    cell.wanted.flatMap(({ figure, target }): XdsSummary[] => {
      const found = rows.filter((row) => row.cell === cell.name && row.figure === figure);
      if (found.length === 0) return [];
      const value = sideOf(found.map((row) => row.value));
      const others = found.flatMap((row) => row.beside ?? []);
      const beside = others.length === 0 || cell.beside === undefined ? undefined : sideOf(others);
      const ratio = beside === undefined || beside.median === 0 ? undefined : value.median / beside.median;
      return [
        {
          cell: cell.name,
          figure,
          unit: unitOf(figure),
          runs: found.length,
          value,
          ...(beside &&
            cell.beside && { beside: { ...beside, name: besideName(cell, cell.beside), runs: others.length } }),
          ...(ratio !== undefined && { ratio }),
          ...(target && { target, met: isMet(target, value.median, ratio) }),
        },
      ];
    }),
  );
}

/** What stands beside a cell's own scene, as tables call it. */
function besideName({ scene }: Cell, { mesh, server }: Scene): string {
  if (server.type === "peer") return server.cache === "linear" ? "peer" : "peer, snapshot cache";
  return mesh.services === scene.mesh.services ? "one process" : `${mesh.services} services`;
}

/** How many of the targets are met; of several runs by their medians. */
export function targetsMet(summaries: readonly XdsSummary[]): string {
  const having = summaries.filter(({ target }) => target !== undefined);
  const missed = having.filter(({ met }) => met !== true).map(({ cell, figure }) => `${cell} (${figure})`);
  const some = missed.length === 0 ? "" : `; missed: ${missed.join(", ")}`;
  return `${having.length - missed.length} of ${having.length} targets met${some}`;
}

function sideOf(values: readonly number[]): Side {
  return { median: median(values), lowest: Math.min(...values), highest: Math.max(...values) };
}

/** A ratio that nothing can be said about is no target met. */
function isMet(target: Target, value: number, ratio: number | undefined): boolean {
  return "value" in target ? value <= target.value : ratio !== undefined && ratio <= target.ratio;
}
