import { cp, mkdir, mkdtemp, readdir, readFile, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { edited, type Ablation } from "./ablation.ts";

const root = fileURLToPath(new URL("../../../../", import.meta.url));
/** What programs need besides modules. */
const folders = ["packages", "adapters", "test/bench", "test/servers"];
const left = new Set(["src", "testdata", "load-client", "peer"]);

/** A copy of the built product and of what measures it, apart from the tree. `remove` must be called. */
export interface BuiltCopy {
  readonly folder: string;
  /** Edits the copy while something runs. Rejects with an AblationError where an edit does not apply; then nothing has run. */
  without<T>(ablation: Ablation, run: () => Promise<T>): Promise<T>;
  readonly remove: () => Promise<void>;
}

/** Copies what is built to a temporary folder. Modules of the project are those of the copy there, all others the installed ones. */
export async function copyBuilt(): Promise<BuiltCopy> {
  const folder = await mkdtemp(join(tmpdir(), "signalbox-bench-built-"));
  const remove = () => rm(folder, { recursive: true, force: true });
  try {
    await writeFile(join(folder, "package.json"), JSON.stringify({ private: true, type: "module" }));
    for (const one of folders) await cp(join(root, one), join(folder, one), { recursive: true, filter: isNeeded });
    await linkModules(join(root, "node_modules"), join(folder, "node_modules"));
    for (const holder of ["packages", "adapters"])
      for (const name of await readdir(join(root, holder))) await linkOwnModules(join(holder, name), folder);
    // The version of go-control-plane is read there.
    await cp(join(root, "test/bench/peer/go.mod"), join(folder, "test/bench/peer/go.mod"));
  } catch (error) {
    await remove();
    throw error;
  }
  return { folder, without: (ablation, run) => editedWhile(join(folder, "packages"), ablation, run), remove };
}

function isNeeded(path: string): boolean {
  const name = basename(path);
  return !left.has(name) && name !== "node_modules" && !/\.(?:d\.ts|map|tsbuildinfo)$|\.test\.js$/.test(name);
}

/** Modules that a package has for itself. */
async function linkOwnModules(path: string, folder: string): Promise<void> {
  const own = join(root, path, "node_modules");
  if (existsSync(own)) await symlink(own, join(folder, path, "node_modules"));
}

/** Links to what is installed; what is a link there already leads to a package of the project, and so here to that of the copy. */
async function linkModules(from: string, to: string): Promise<void> {
  await mkdir(to);
  for (const entry of await readdir(from, { withFileTypes: true })) {
    const [source, target] = [join(from, entry.name), join(to, entry.name)];
    if (entry.isSymbolicLink()) {
      // Relative, and the copy has the same folders.
      await symlink(await readlink(source), target);
    } else if (entry.name.startsWith("@")) await linkModules(source, target);
    else await symlink(source, target);
  }
}

async function editedWhile<T>(packages: string, ablation: Ablation, run: () => Promise<T>): Promise<T> {
  const files = new Map<string, { readonly before: string; readonly after: string }>();
  for (const { file } of ablation.edits) {
    if (files.has(file)) continue;
    const before = await readFile(join(packages, file), "utf8");
    const after = edited(
      before,
      ablation,
      ablation.edits.filter((edit) => edit.file === file),
    );
    files.set(file, { before, after });
  }
  try {
    for (const [file, { after }] of files) await writeFile(join(packages, file), after);
    return await run();
  } finally {
    for (const [file, { before }] of files) await writeFile(join(packages, file), before);
  }
}
