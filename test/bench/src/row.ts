import { median } from "./statistics.ts";

/** One measured figure. */
export interface Row {
  /** The source of an adapter, or the bus. */
  readonly source: string;
  /** In what it was measured: the size of the fleet, and what is special. */
  readonly setting: string;
  readonly figure: string;
  readonly unit: "ms" | "MiB" | "KiB" | "MiB an hour" | "% of a core" | "a second" | "services" | "resources" | "views";
  readonly value: number;
  /** The same without what is measured, beside it: a bare read instead of an adapter, the bus of one process instead of another one. */
  readonly bare?: number;
  /** `value / bare`. */
  readonly ratio?: number;
  /** The target: the value should be below. */
  readonly limit?: number;
}

/** One figure over several runs. */
export interface Summary extends Row {
  readonly runs: number;
  readonly lowest: number;
  readonly highest: number;
}

/** A figure with something beside it. */
export function compared(row: Omit<Row, "ratio"> & { readonly bare: number }): Row {
  return { ...row, ratio: row.value / row.bare };
}

/** The median of each figure over the runs, in the order in which figures come first. Ratios are medians of ratios. */
export function summarise(rows: readonly Row[]): readonly Summary[] {
  const groups = new Map<string, Row[]>();
  for (const row of rows) {
    const key = JSON.stringify([row.source, row.setting, row.figure]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [row]);
    else group.push(row);
  }
  return [...groups.values()].flatMap((group): Summary[] => {
    const [first] = group;
    if (first === undefined) return [];
    const values = group.map(({ value }) => value);
    const bare = group.flatMap((row) => row.bare ?? []);
    const ratios = group.flatMap((row) => row.ratio ?? []);
    return [
      {
        ...first,
        value: median(values),
        ...(bare.length > 0 && { bare: median(bare) }),
        ...(ratios.length > 0 && { ratio: median(ratios) }),
        runs: group.length,
        lowest: Math.min(...values),
        highest: Math.max(...values),
      },
    ];
  });
}
