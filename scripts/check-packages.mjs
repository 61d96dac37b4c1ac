// Packs every published package and lets publint and attw look at the tarballs, as a user would receive them.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { publint } from "publint";
import { formatMessage } from "publint/utils";

const root = join(import.meta.dirname, "..");
const folders = ["packages", "adapters"].flatMap((group) =>
  readdirSync(join(root, group)).map((name) => join(root, group, name)),
);
const out = mkdtempSync(join(tmpdir(), "signalbox-pack-"));
let faults = 0;

try {
  for (const folder of folders) {
    const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
    if (manifest.private) continue;
    const [packed] = JSON.parse(
      execFileSync("npm", ["pack", "--json", "--silent", "--ignore-scripts", "--pack-destination", out], {
        cwd: folder,
        encoding: "utf8",
      }),
    );
    const tarball = join(out, packed.filename);
    const stray = packed.files.map((file) => file.path).filter((path) => /\.test\.|testdata|tsbuildinfo/.test(path));
    const { messages } = await publint({
      pack: { tarball: new Uint8Array(readFileSync(tarball)).buffer },
      strict: true,
    });
    const lines = [
      ...stray.map((path) => `packs ${path}`),
      ...messages
        .filter((message) => message.type !== "suggestion")
        .map((message) => formatMessage(message, manifest) ?? message.code),
    ];
    try {
      execFileSync(
        "npx",
        [
          "--no-install",
          "attw",
          tarball,
          "--profile",
          "esm-only",
          "--format",
          "ascii",
          "--no-emoji",
          "--exclude-entrypoints",
          "./*",
        ],
        { cwd: root, encoding: "utf8", stdio: "pipe" },
      );
    } catch (error) {
      lines.push(`attw: ${error.stdout ?? error.message}`);
    }
    faults += lines.length;
    console.log(`${manifest.name}: ${packed.files.length} files, ${lines.length === 0 ? "good" : lines.join("\n  ")}`);
  }
} finally {
  rmSync(out, { recursive: true, force: true });
}
if (faults > 0) process.exitCode = 1;
