import { measureCatalog, type CatalogFigures } from "./catalog/measure-catalog.ts";
import { catalogUsage, parseCatalogOptions, type CatalogOptions } from "./catalog/options.ts";
import { runBenchmark, type Measured } from "./command.ts";
import { compared, type Row } from "./row.ts";

/** The command line of the catalog part of `npm run bench`. Resolves with the exit code. */
export async function catalogCommand(args: readonly string[]): Promise<number> {
  const heads = { source: "stage", bare: "few services" };
  return runBenchmark({ usage: catalogUsage, heads, parse: parseCatalogOptions, measure }, args);
}

/** The small catalog is measured in each run right before the large one, so that ratios are of one moment of the machine. */
async function measure({ few, runs, services, ...task }: CatalogOptions, signal: AbortSignal): Promise<Measured> {
  const rows: Row[] = [];
  // What has not run yet is slow, and the small catalog comes first.
  await measureCatalog({ ...task, services: few, changes: Math.min(50, task.changes), quietSeconds: 0.1 }, signal);
  for (let run = 1; run <= runs; run++) {
    process.stderr.write(`catalog: run ${run} of ${runs}, ${few} services\n`);
    const small = await measureCatalog({ ...task, services: few }, signal);
    process.stderr.write(`catalog: run ${run} of ${runs}, ${services} services\n`);
    rows.push(...rowsOf(services, await measureCatalog({ ...task, services }, signal), small));
  }
  return { rows, remarks: [`few services: ${few}, with as many endpoints each`] };
}

function rowsOf(services: number, large: CatalogFigures, small: CatalogFigures): readonly Row[] {
  const of = (figure: string, unit: Row["unit"], key: keyof CatalogFigures): Row =>
    compared({
      ...{ source: "aggregate", setting: `${services} services`, figure, unit },
      value: large[key],
      // Less than can be counted is no reason for a ratio without an end.
      bare: Math.max(small[key], 0.001),
    });
  return [
    of("snapshot of the registry to first event", "ms", "first"),
    of("CPU in a quiet time", "% of a core", "idle"),
    of("change of one endpoint to event, p50", "ms", "changeMedian"),
    of("change of one endpoint to event, p99", "ms", "changeP99"),
    of("CPU time of a change, p50", "ms", "changeCpu"),
    of("services looked at for one change, at most", "services", "touched"),
  ];
}
