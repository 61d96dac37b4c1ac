// Makes src/gen out of the Envoy v3 protobuf files that the npm package @grpc/grpc-js-xds ships in its deps folder:
// copies the import closure of roots.mjs to proto/ and runs buf with protoc-gen-es over it. Both work offline.
// Does nothing when src/gen already belongs to the same input.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { roots } from "./roots.mjs";

const here = dirname(fileURLToPath(import.meta.url));
const packageRoot = dirname(here);
const require = createRequire(import.meta.url);
const deps = join(dirname(require.resolve("@grpc/grpc-js-xds/package.json")), "deps");
const includes = ["envoy-api", "googleapis", "protoc-gen-validate", "xds"].map((name) => join(deps, name));
const protoDir = join(packageRoot, "proto");
const genDir = join(packageRoot, "src", "gen");
const stamp = join(genDir, ".stamp");

function find(path) {
  for (const include of includes) if (existsSync(join(include, path))) return join(include, path);
  throw new Error(`no protobuf file ${path} in the deps folder of @grpc/grpc-js-xds`);
}

/** The published validate.proto is older than the files that use it: it lacks StringRules.ignore_empty. */
function patch(path, text) {
  if (path !== "validate/validate.proto" || /ignore_empty\s*=\s*26/.test(text)) return text;
  const patched = text.replace(/message StringRules \{/, "message StringRules {\n  optional bool ignore_empty = 26;\n");
  if (patched === text) throw new Error("validate.proto has no message StringRules: the copy cannot be completed");
  return patched;
}

const files = new Map();
function collect(path) {
  if (files.has(path) || path.startsWith("google/protobuf/")) return;
  const text = patch(path, readFileSync(find(path), "utf8"));
  files.set(path, text);
  for (const [, imported] of text.matchAll(/^import\s+(?:public\s+|weak\s+)?"([^"]+)";/gm)) collect(imported);
}
for (const root of roots) collect(root);

const version = (name) => JSON.parse(readFileSync(require.resolve(`${name}/package.json`), "utf8")).version;
const hash = createHash("sha256").update(readFileSync(fileURLToPath(import.meta.url)));
hash.update(version("@bufbuild/protoc-gen-es"));
for (const [path, text] of [...files].sort(([a], [b]) => (a < b ? -1 : 1))) hash.update(`${path}\0${text}\0`);
const want = hash.digest("hex");
if (existsSync(stamp) && readFileSync(stamp, "utf8") === want) process.exit(0);

rmSync(protoDir, { recursive: true, force: true });
rmSync(genDir, { recursive: true, force: true });
for (const [path, text] of files) {
  mkdirSync(dirname(join(protoDir, path)), { recursive: true });
  writeFileSync(join(protoDir, path), text);
}
const bin = (name) => {
  const manifest = require.resolve(`${name}/package.json`);
  const { bin: bins } = JSON.parse(readFileSync(manifest, "utf8"));
  const short = name.split("/").pop();
  return join(dirname(manifest), typeof bins === "string" ? bins : bins[short]);
};
writeFileSync(join(protoDir, "buf.yaml"), "version: v2\n");
const template = {
  version: "v2",
  plugins: [
    {
      local: [process.execPath, bin("@bufbuild/protoc-gen-es")],
      out: genDir,
      opt: ["target=ts", "import_extension=ts"],
    },
  ],
};
execFileSync(process.execPath, [bin("@bufbuild/buf"), "generate", protoDir, "--template", JSON.stringify(template)], {
  stdio: "inherit",
});

// One registry of every generated file, so that `Any` prints as JSON, and one module per file under its protobuf path.
const generated = readdirSync(genDir, { recursive: true })
  .filter((path) => path.endsWith("_pb.ts"))
  .sort();
const importable = generated.map(
  (path, index) => `import { file_${path.slice(0, -6).replaceAll(/[/.-]/g, "_")} as f${index} } from "./${path}";`,
);
writeFileSync(
  join(genDir, "files.ts"),
  `${importable.join("\n")}\n\n/** Descriptors of every generated protobuf file. */\nexport const files = [${generated.map((_, i) => `f${i}`).join(", ")}];\n`,
);
writeFileSync(stamp, want);
console.log(`envoy-api: generated ${generated.length} protobuf files`);
