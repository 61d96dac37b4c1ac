import { mkdir, readFile, writeFile } from "node:fs/promises";
import type { HeapProfiler, Profiler } from "node:inspector";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";
import { runInterruptible } from "./interruptible.ts";
import { parsed, UsageError } from "./option-values.ts";
import type { Scene } from "./xds/cell.ts";
import { cells } from "./xds/cells.ts";
import { cellOf } from "./xds/options.ts";
import { profileFiles } from "./xds/product/messages.ts";
import { profileReport } from "./xds/profile/profile-report.ts";
import { providePrograms } from "./xds/programs.ts";
import { quickCells } from "./xds/quick-cells.ts";
import { runScene } from "./xds/run-scene.ts";

const usage = `npm run bench -- profile CELL [options]
  CELL                a cell of npm run bench -- xds --list whose product is one process with a mesh in memory
  --folder PATH       where the profiles go, for Chrome's developer tools (profile-CELL)
`;

/** The command line of `npm run bench -- profile`. Resolves with the exit code. */
export async function profileCommand(args: readonly string[]): Promise<number> {
  let options: ReturnType<typeof parseProfileOptions>;
  try {
    options = parseProfileOptions(args);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    process.stderr.write(`${error.message}\n${usage}`);
    return 1;
  }
  return runInterruptible((signal) => profile(options, signal));
}

/** Reads the command line. Throws a UsageError. */
export function parseProfileOptions(args: readonly string[]): { readonly scene: Scene; readonly folder: string } {
  const { positionals, values } = parsed(() =>
    parseArgs({ args: [...args], options: { folder: { type: "string" } }, allowPositionals: true }),
  );
  const [name, ...more] = positionals;
  if (name === undefined || more.length > 0) throw new UsageError("one cell must be named");
  const { scene } = cellOf(name, [...cells, ...quickCells]);
  if (scene.server.type !== "product") throw new UsageError(`${name} has no product with a mesh in memory`);
  return { scene: { ...scene, probe: "profile" }, folder: resolve(values.folder ?? `profile-${name}`) };
}

async function profile(
  { folder, scene }: { readonly scene: Scene; readonly folder: string },
  signal: AbortSignal,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  await runScene(scene, await providePrograms(signal), signal, folder);
  const read = async <T>(name: string): Promise<T> => JSON.parse(await readFile(join(folder, name), "utf8")) as T;
  const report = profileReport(
    await read<Profiler.Profile>(profileFiles.cpu),
    await read<HeapProfiler.SamplingHeapProfile>(profileFiles.heap),
  );
  await writeFile(join(folder, "report.txt"), report);
  process.stdout.write(`${report}${folder}\n`);
}
