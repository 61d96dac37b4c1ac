import { parseArgs } from "node:util";
import type { CommonOptions } from "../command.ts";
import { count, parsed, UsageError } from "../option-values.ts";
import type { Cell } from "./cell.ts";

/** What is measured, and where figures go. */
export interface XdsOptions extends CommonOptions {
  readonly cells: readonly Cell[];
  /** Print the cells instead. */
  readonly list: boolean;
  /** Write the figures into the documentation. */
  readonly markdown: boolean;
}

/** What the command takes. */
export const xdsUsage = `npm run bench -- xds [options]
  --cell NAME         measures this cell; may be given again (all that --list does not mark)
  --probe NAME        loop or slices: has the products of the cells (loop: daemons, too) watch the delays of their event loop, or what runs longest in it; it costs time
  --list              prints the cells, and the time that each takes
  --runs N            how often everything is measured; medians are shown (1)
  --json FILE         writes all figures to a file as well
  --markdown          writes the figures into docs/benchmarks.md
`;

/** Reads the command line. Throws a UsageError. */
export function parseXdsOptions(args: readonly string[], all: readonly Cell[]): XdsOptions {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  const { values } = parsed(() =>
    parseArgs({
      args: [...args],
      options: { cell: { ...text, multiple: true }, probe: text, list: flag, runs: text, json: text, markdown: flag },
    }),
  );
  return {
    cells: cellsOf(values.cell ?? [], all).map((cell) => probed(cell, probeOf(values.probe))),
    list: values.list ?? false,
    runs: count("runs", values.runs ?? "1"),
    json: values.json,
    markdown: values.markdown ?? false,
  };
}

/** The cell with this name. Throws a UsageError that lists the names. */
export function cellOf(name: string, all: readonly Cell[]): Cell {
  const found = all.find((cell) => cell.name === name);
  if (found !== undefined) return found;
  throw new UsageError(
    `there is no cell ${JSON.stringify(name)}; there are ${all.map((cell) => cell.name).join(", ")}`,
  );
}

const probes = ["loop", "slices"] as const;
type Probe = (typeof probes)[number];

function probeOf(text: string | undefined): Probe | undefined {
  const found = probes.find((probe) => probe === text);
  if (text !== undefined && found === undefined) throw new UsageError(`--probe must be ${probes.join(" or ")}`);
  return found;
}

function probed(cell: Cell, probe: Probe | undefined): Cell {
  const { scene, wanted } = cell;
  const able = scene.server.type === "product" || (scene.server.type === "files" && probe === "loop");
  if (probe === undefined || !able) return cell;
  // Another probe than the cell's own does not tell the same figures.
  const told = probe === "loop" ? wanted : wanted.filter(({ figure }) => !/^(?:event loop|longest slice)/.test(figure));
  return { ...cell, scene: { ...scene, probe }, wanted: told };
}

function cellsOf(given: readonly string[], all: readonly Cell[]): readonly Cell[] {
  if (given.length === 0) return all.filter(({ onlyByName }) => onlyByName !== true);
  const named = given.map((name) => cellOf(name, all));
  return all.filter((cell) => named.includes(cell));
}

/** The cells for people, with the time that each takes. */
export function listOf(cells: readonly Cell[], runs: number): string {
  const width = Math.max(...cells.map(({ name }) => name.length));
  const lines = cells.map(
    (cell) =>
      `${cell.name.padEnd(width)}  ${String(secondsOf(cell, runs)).padStart(4)} s  ${marked(cell)}${cell.about}`,
  );
  const all = cells.filter(({ onlyByName }) => onlyByName !== true);
  const minutes = all.reduce((sum, cell) => sum + secondsOf(cell, runs), 0) / 60;
  const many = runs === 1 ? "one run" : `${runs} runs`;
  return `${lines.join("\n")}\n\nAll but those marked with *: about ${Math.ceil(minutes)} minutes for ${many} on two quiet cores.\n`;
}

/** How often a cell is measured. */
export function runsOf({ mostRuns }: Cell, runs: number): number {
  return Math.min(runs, mostRuns ?? runs);
}

function secondsOf(cell: Cell, runs: number): number {
  const found = runsOf(cell, runs);
  return cell.seconds * found + (cell.besideSeconds ?? 0) * Math.min(found, cell.mostBesideRuns ?? found);
}

function marked({ onlyByName }: Cell): string {
  return onlyByName === true ? "* " : "";
}
