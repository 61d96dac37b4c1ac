import { runInterruptible } from "./interruptible.ts";
import { benchXds } from "./xds/bench-xds.ts";
import { quickCells } from "./xds/quick-cells.ts";
import { summariseXds } from "./xds/summary.ts";
import { xdsTable } from "./xds/xds-table.ts";

/** The command line of `npm run bench -- quick`. Resolves with the exit code: 1 where something is lost or broken, whatever it took. */
export async function quickCommand(args: readonly string[]): Promise<number> {
  if (args.length > 0) {
    process.stderr.write("npm run bench -- quick takes no options\n");
    return 1;
  }
  return runInterruptible(async (signal) => {
    const { rows } = await benchXds(quickCells, 1, signal);
    process.stdout.write(`${xdsTable(summariseXds(quickCells, rows))}\n`);
    const lost = rows.filter(
      ({ beside = 0, figure, value }) => figure === "change to client, lost" && value + beside > 0,
    );
    if (lost.length > 0) throw new Error(`changes were lost: ${lost.map(({ cell }) => cell).join(", ")}`);
  });
}
