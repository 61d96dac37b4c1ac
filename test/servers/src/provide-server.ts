import { cp, readdir, rename, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import { cacheFolder, hashInputs, isExecutable, onPath, ownPath, provideFolder } from "./cache.ts";
import type { Environment } from "./cache.ts";
import { CommandFailedError, runCommand } from "./run-command.ts";

/** How to run a program: the file, the arguments that come first, the folder to run it in. */
export interface Program {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd?: string;
}

/** Options of all `provide…` functions. */
export interface ProvideOptions {
  /** `process.env` by default. */
  readonly env?: Environment;
  readonly signal?: AbortSignal | undefined;
  /** Told before a build or an installation, with the name of its cache entry. */
  readonly onBuild?: ((name: string) => void) | undefined;
}

/** Thrown when a server can neither be found nor built. The message says how to get it. */
export class ServerUnavailableError extends Error {
  readonly code = "SBX_SERVER_UNAVAILABLE";
  readonly server: string;

  constructor(server: string, reason: string, advice: string, options?: ErrorOptions) {
    super(`${server}: ${reason}. ${advice}`, options);
    this.name = "ServerUnavailableError";
    this.server = server;
  }
}

/** The servers that are built from a Go module in `go/`. */
export type GoServer = "consul" | "kube" | "nats";

interface GoRecipe {
  readonly version: string;
  readonly variable: string;
  readonly linkerFlags: readonly string[];
}

const goRecipes: Readonly<Record<GoServer, GoRecipe>> = {
  consul: { version: "1.22.5", variable: "SIGNALBOX_CONSUL", linkerFlags: [] },
  nats: { version: "2.12.4", variable: "SIGNALBOX_NATS", linkerFlags: [] },
  kube: {
    version: "1.36.3",
    variable: "SIGNALBOX_KUBE",
    // Without these, /version has a placeholder.
    linkerFlags: ["gitVersion=v1.36.3", "gitMajor=1", "gitMinor=36"].map(
      (setting) => `-X k8s.io/component-base/version.${setting}`,
    ),
  },
};

/**
 * Returns the path of a server binary: the one that `SIGNALBOX_CONSUL`, `SIGNALBOX_NATS` or `SIGNALBOX_KUBE` names, or the
 * one in the cache folder, which is built there from `go/<name>` when it is missing. Rejects with a ServerUnavailableError.
 */
export async function provideGoServer(name: GoServer, options: ProvideOptions = {}): Promise<string> {
  const { env = process.env } = options;
  const { version, variable, linkerFlags } = goRecipes[name];
  const named = await fromVariable(name, variable, env);
  if (named !== undefined) return named;
  const linker = ["-s", "-w", ...linkerFlags];
  const advice = `Set ${variable} to a binary, or make "go build" work (Go 1.26, module proxy reachable).`;
  return goBinary({ name, version, source: ownPath("go", name), linker, advice }, options);
}

/**
 * Returns the path of a program that is built from a Go module in the folder `source`: the one in the cache folder, which is built there when
 * it is missing or the source changed. Rejects with a ServerUnavailableError.
 */
export async function provideGoProgram(name: string, source: string, options: ProvideOptions = {}): Promise<string> {
  const advice = 'Make "go build" work (Go 1.26, module proxy reachable).';
  return goBinary({ name, source, linker: ["-s", "-w"], advice }, options);
}

interface GoBuild {
  readonly name: string;
  readonly version?: string;
  /** Folder of the module. */
  readonly source: string;
  readonly linker: readonly string[];
  readonly advice: string;
}

async function goBinary(
  { advice, linker, name, source, version }: GoBuild,
  { env = process.env, onBuild, signal }: ProvideOptions,
): Promise<string> {
  const flags = ["-trimpath", "-ldflags", linker.join(" ")];
  const key = await hashInputs(source, ...flags, process.platform, process.arch);
  const build = async (folder: string): Promise<void> => {
    const output = join(folder, "server");
    await runCommand("go", ["build", "-mod=readonly", ...flags, "-o", output, "."], {
      cwd: source,
      env: { ...env, CGO_ENABLED: "0" },
      timeoutMs: 40 * 60_000,
      signal,
    }).catch(unavailable(name, advice));
  };
  const entry = [name, version, key].filter((part) => part !== undefined).join("-");
  return join(await provideFolder({ root: cacheFolder(env), name: entry, build, onBuild, signal }), "server");
}

/** Consul 1.22: `SIGNALBOX_CONSUL`, else `consul` on the PATH if it is 1.22, else as `provideGoServer`. */
export async function provideConsul(options: ProvideOptions = {}): Promise<Program> {
  const installed = await fromPath("consul", ["version"], /^Consul v1\.22\./, "SIGNALBOX_CONSUL", options);
  return { file: installed ?? (await provideGoServer("consul", options)), args: [] };
}

/** NATS 2.11 or newer: `SIGNALBOX_NATS`, else `nats-server` on the PATH, else as `provideGoServer`. */
export async function provideNats(options: ProvideOptions = {}): Promise<Program> {
  const isRight = /nats-server: v2\.(1[1-9]|[2-9]\d)\./;
  const installed = await fromPath("nats-server", ["--version"], isRight, "SIGNALBOX_NATS", options);
  return { file: installed ?? (await provideGoServer("nats", options)), args: [] };
}

/** The two programs that make a Kubernetes API. */
export interface KubePrograms {
  readonly etcd: Program;
  readonly apiserver: Program;
}

/** etcd and kube-apiserver: both from the PATH if they are 3.6 and 1.36, else one binary as `provideGoServer` gives it. */
export async function provideKube(options: ProvideOptions = {}): Promise<KubePrograms> {
  const etcd = await fromPath("etcd", ["--version"], /^etcd Version: 3\.6\./m, "SIGNALBOX_KUBE", options);
  const isRight = /^Kubernetes v1\.36\./m;
  const apiserver = etcd && (await fromPath("kube-apiserver", ["--version"], isRight, "SIGNALBOX_KUBE", options));
  if (etcd !== undefined && apiserver !== undefined)
    return { etcd: { file: etcd, args: [] }, apiserver: { file: apiserver, args: [] } };
  const file = await provideGoServer("kube", options);
  return { etcd: { file, args: ["etcd"] }, apiserver: { file, args: ["apiserver"] } };
}

/** The programs that are built from a Maven project in `java/`. */
export type JavaServer = "eureka-server" | "spring-provider";

const mainClass: Readonly<Record<JavaServer, string>> = {
  "eureka-server": "EurekaServer",
  "spring-provider": "SpringProvider",
};
// One small thread and a simple collector: several of these run beside each other on two cores.
const javaOptions = [
  "-Xmx192m",
  "-Xss512k",
  "-XX:+UseSerialGC",
  "-XX:TieredStopAtLevel=1",
  "-XX:MaxMetaspaceSize=128m",
];

/**
 * Returns how to run a Spring program. Built with Maven into the cache folder when it is missing, with an archive of its
 * loaded classes, which halves its start. Rejects with a ServerUnavailableError.
 */
export async function provideJava(name: JavaServer, options: ProvideOptions = {}): Promise<Program> {
  const { env = process.env, signal, onBuild } = options;
  const source = ownPath("java", name);
  const key = await hashInputs(source, ...javaOptions);
  const advice = 'Make "mvn" and "java" work (Java 17, Maven 3.8, Maven Central reachable).';
  const build = async (folder: string): Promise<void> => {
    // A copy: Maven writes beside what it compiles.
    const work = join(folder, "work");
    await cp(source, work, { recursive: true });
    const goals = ["package", "dependency:copy-dependencies", "-DincludeScope=runtime"];
    const output = `-DoutputDirectory=${join(folder, "lib")}`;
    await runCommand("mvn", ["-q", "-B", ...goals, output], { cwd: work, env, signal, timeoutMs: 15 * 60_000 }).catch(
      unavailable(name, advice),
    );
    await rename(join(work, "target", "app.jar"), join(folder, "app.jar"));
    await rm(work, { recursive: true });
    await archiveClasses(await javaProgram(name, folder), env, signal).catch(unavailable(name, advice));
  };
  const root = cacheFolder(env);
  return javaProgram(name, await provideFolder({ root, name: `${name}-${key}`, build, onBuild, signal }));
}

/** The Java program with a heap of so many MiB at most. The default is right for what fits into a test. */
export function withHeap(program: Program, mebibytes: number): Program {
  const classPath = program.args.indexOf("-cp");
  // Of two limits Java takes the last one.
  const args = program.args.toSpliced(classPath, 0, `-Xmx${mebibytes}m`);
  return { ...program, args };
}

/** Paths in the arguments are relative: Java accepts the archive only for the class path that it was made with. */
async function javaProgram(name: JavaServer, folder: string): Promise<Program> {
  const libraries = (await readdir(join(folder, "lib"))).sort().map((file) => `lib/${file}`);
  const classPath = ["-cp", ["app.jar", ...libraries].join(":"), `test.signalbox.${mainClass[name]}`];
  return { file: "java", args: [...javaOptions, "-XX:SharedArchiveFile=app.jsa", ...classPath], cwd: folder };
}

/** Starts the program once without a web server, so that it ends by itself, and lets Java write the archive. */
async function archiveClasses(program: Program, env: Environment, signal: AbortSignal | undefined): Promise<void> {
  const args = program.args.map((arg) => arg.replace("SharedArchiveFile", "ArchiveClassesAtExit"));
  const run = { env, signal, timeoutMs: 10 * 60_000, ...(program.cwd !== undefined && { cwd: program.cwd }) };
  await runCommand(program.file, [...args, "--signalbox.exit-when-ready=true", "--server.port=0"], run);
}

/** The binary that the variable names. Rejects with a ServerUnavailableError if it is none. */
export async function fromVariable(server: string, variable: string, env: Environment): Promise<string | undefined> {
  const path = env[variable];
  if (path === undefined || path === "") return undefined;
  if (await isExecutable(path)) return resolve(path);
  const advice = `Unset ${variable} or correct it.`;
  throw new ServerUnavailableError(server, `${variable} is set to ${path}, which is not an executable file`, advice);
}

/** The first binary on the PATH that says it is the right version; none if the variable names another one. */
export async function fromPath(
  name: string,
  versionArgs: readonly string[],
  isRight: RegExp,
  variable: string,
  options: ProvideOptions,
): Promise<string | undefined> {
  const { env = process.env, signal } = options;
  if ((env[variable] ?? "") !== "") return undefined;
  for (const candidate of await onPath(name, env["PATH"] ?? "")) {
    const version = await runCommand(candidate, versionArgs, { env, signal, timeoutMs: 20_000 }).catch(() => {
      signal?.throwIfAborted();
      return "";
    });
    if (isRight.test(version)) return candidate;
  }
  return undefined;
}

/** Makes a ServerUnavailableError of a command that failed. */
export function unavailable(server: string, advice: string): (error: unknown) => never {
  return (error) => {
    if (!(error instanceof CommandFailedError)) throw error;
    throw new ServerUnavailableError(server, `it could not be built: ${error.message}`, advice, { cause: error });
  };
}
