import { describe, expect, it } from "vitest";
import { cells } from "./cells.ts";
import { listOf, parseXdsOptions, runsOf } from "./options.ts";
import { quickCells } from "./quick-cells.ts";

describe("the cells", () => {
  it("have names of their own", () => {
    const names = [...cells, ...quickCells].map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });

  it("compare with something wherever a target is a ratio", () => {
    const wrong = cells.filter(
      ({ beside, wanted }) =>
        beside === undefined && wanted.some(({ target }) => target !== undefined && "ratio" in target),
    );
    expect(wrong.map(({ name }) => name)).toEqual([]);
  });

  it("lose nothing: every cell with changes has the target for it, unless it measures something else", () => {
    const silent = [...cells, ...quickCells].filter(
      ({ name, scene, wanted }) =>
        scene.load.action.type !== "none" &&
        name !== "slices" &&
        !wanted.some(({ figure, target }) => figure === "change to client, lost" && target !== undefined),
    );
    expect(silent.map(({ name }) => name)).toEqual([]);
  });

  it("are measured five times by default, but those that take more than 40 s", () => {
    const fewer = cells.filter((cell) => cell.onlyByName !== true && runsOf(cell, 5) < 5);
    expect(fewer.filter(({ besideSeconds = 0, seconds }) => seconds + besideSeconds <= 40)).toEqual([]);
  });

  it("say how long what is beside them takes wherever there is such a thing", () => {
    const silent = cells.filter(
      ({ beside, besideSeconds }) => (beside === undefined) !== (besideSeconds === undefined),
    );
    expect(silent.map(({ name }) => name)).toEqual([]);
  });

  it("take at most 37 minutes for five runs", () => {
    const minutes = Number(/about (\d+) minutes for 5 runs/.exec(listOf(cells, 5))?.[1]);
    expect(minutes).toBeGreaterThan(10);
    expect(minutes).toBeLessThanOrEqual(37);
  });
});

describe("the options", () => {
  it("choose all cells but those that are measured by name only", () => {
    const { cells: chosen, runs } = parseXdsOptions([], cells);
    expect(chosen).toEqual(cells.filter(({ onlyByName }) => onlyByName !== true));
    expect(runs).toBe(1);
  });

  it("choose the named cells in their own order", () => {
    const { cells: chosen } = parseXdsOptions(["--cell", "slices", "--cell", "churn"], cells);
    expect(chosen.map(({ name }) => name)).toEqual(["churn", "slices"]);
  });

  it("have the products of all chosen cells watched, and nobody else", () => {
    const { cells: chosen } = parseXdsOptions(["--probe", "slices"], cells);
    const watched = chosen.filter(({ beside, scene }) => scene.probe === "slices" && beside?.probe === undefined);
    expect(watched.map(({ name }) => name)).toEqual(
      chosen.filter(({ scene }) => scene.server.type === "product").map(({ name }) => name),
    );
  });

  it("have another probe take the place of a cell's own, without the figures that only that one tells", () => {
    const [cell] = parseXdsOptions(["--cell", "loop-10000", "--probe", "slices"], cells).cells;
    expect(cell?.scene.probe).toBe("slices");
    expect(cell?.wanted.map(({ figure }) => figure)).toEqual(["change to client, lost"]);
  });

  it("have daemons watched as well, by what they can be watched by", () => {
    const probeOf = (probe: string) =>
      parseXdsOptions(["--cell", "files-100", "--probe", probe], cells).cells[0]?.scene.probe;
    expect([probeOf("loop"), probeOf("slices")]).toEqual(["loop", undefined]);
  });

  it.each([
    [["--probe", "thermometer"], "--probe must be loop or slices"],
    [["--cell", "trains"], 'there is no cell "trains"; there are sync-restart, '],
    [["--runs", "0"], "--runs must be a whole number from 1"],
    [["--markdown=yes"], "--markdown"],
  ])("refuse %j", (args, said) => {
    expect(() => parseXdsOptions(args, cells)).toThrow(said);
  });

  it("list the cells with their time, fewer runs for long ones", () => {
    const [long] = cells
      .filter(({ mostRuns }) => mostRuns === 3)
      .map((cell) => ({ ...cell, besideSeconds: 7, mostBesideRuns: 2 }));
    const lines = listOf(long === undefined ? [] : [long], 5);
    expect(lines).toContain(`${long?.name ?? ""}  `);
    expect(lines).toContain(` ${3 * (long?.seconds ?? 0) + 14} s `);
  });
});
