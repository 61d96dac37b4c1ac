import cluster, { type Worker } from "node:cluster";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { EventBus } from "@signalbox/event-bus";
import { createSocketBusServer, type SocketBusServer } from "@signalbox/event-bus/sockets";
import { backoff, type Clock, type Logger } from "@signalbox/registry";
import type { ClientStatus, XdsServerAddresses } from "@signalbox/xds-server";
import type { SignalboxConfig } from "../config/schema.ts";
import { Deferred } from "../deferred.ts";
import { errorOf } from "./failure.ts";
import type { FromWorker, ToWorker, WorkerStatus } from "./messages.ts";

/** What a pool is made of. */
export interface WorkerPoolOptions {
  /** How many processes, at least one. */
  readonly count: number;
  readonly config: SignalboxConfig;
  readonly baseDir: string;
  /** The bus that the workers' catalog comes from. */
  readonly bus: Pick<EventBus, "subscribe">;
  readonly logger: Logger;
  readonly clock: Clock;
  /** Whether logs are for a person. */
  readonly terminal: boolean;
}

/** How long a worker may take to answer a question, in milliseconds. What it said last counts then. */
const answerMs = 1000;
/** How much longer than its drain a worker may take to end, in milliseconds. Then it is killed. */
const endMs = 8000;
/** The stream numbers of each worker begin at a multiple of this, so that a number names one stream. */
const streamsPerWorker = 1_000_000_000;

const nothing: WorkerStatus = { clients: [], names: new Map(), metrics: [] };

/**
 * Processes that serve xDS on one port. Each has the catalog from this process over a socket and translates it itself. One that ends by itself is
 * started again; the others serve on meanwhile. Looks like one xDS server.
 */
export class WorkerPool {
  readonly #options: WorkerPoolOptions;
  readonly #members: Member[] = [];
  readonly #end = new AbortController();
  #bus: SocketBusServer | undefined;
  #folder: string | undefined;
  #addresses: XdsServerAddresses | undefined;

  constructor(options: WorkerPoolOptions) {
    this.#options = options;
  }

  /** Starts the workers. Resolves when all of them listen, and rejects when one of them cannot. */
  async listen(): Promise<XdsServerAddresses> {
    const { bus, count } = this.#options;
    // Nobody else can enter a folder of mkdtemp.
    this.#folder = await mkdtemp(join(tmpdir(), "signalbox-"));
    this.#bus = createSocketBusServer(bus, this.#busPath());
    await this.#bus.listen();
    cluster.setupPrimary({
      exec: fileURLToPath(new URL("worker-process.js", import.meta.url)),
      args: [],
      serialization: "advanced",
    });
    // The first one opens the port; where it may choose one, the others share its choice.
    for (let index = 0; index < count; index++) {
      const member = new Member(index, this.#options, () => this.#start());
      this.#members.push(member);
      this.#addresses ??= await member.start(this.#end.signal);
    }
    await Promise.all(this.#members.slice(1).map((member) => member.start(this.#end.signal)));
    return this.#addresses ?? {};
  }

  /** As the workers said last; `refresh` asks them. */
  status(): { readonly clients: readonly ClientStatus[] } & XdsServerAddresses {
    return { clients: this.#members.flatMap((member) => member.clients()), ...this.#addresses };
  }

  /** The names that a stream subscribed to, if the last `refresh` asked for them. */
  watchedNames(stream: number): ReadonlyMap<string, readonly string[]> {
    return this.#members[Math.floor(stream / streamsPerWorker)]?.namesOf(stream % streamsPerWorker) ?? new Map();
  }

  /** The metrics of each worker, as it said last. */
  metrics(): readonly (readonly object[])[] {
    return this.#members.map((member) => member.metrics());
  }

  /** Asks all workers how they are; with `names`, for the names that their clients subscribed to as well. */
  async refresh(names: boolean): Promise<void> {
    await Promise.all(this.#members.map((member) => member.refresh(names)));
  }

  /** Sends all clients away over `ms` milliseconds. Resolves when every worker has ended. May be called again. */
  async drain(ms: number): Promise<void> {
    this.#end.abort();
    await Promise.all(this.#members.map((member) => member.end(ms)));
    await this.#bus?.close();
    if (this.#folder !== undefined) await rm(this.#folder, { recursive: true, force: true });
  }

  #busPath(): string {
    return join(this.#folder ?? "", "bus");
  }

  #start(): Extract<ToWorker, { type: "start" }> {
    const { baseDir, config, terminal } = this.#options;
    const { plaintext, tls } = this.#addresses ?? {};
    const { log, mesh, secrets, xds } = config;
    // Once it is known, every worker opens the same port, also one that is started again.
    const ports = {
      ...(xds.plaintext !== false && plaintext && { plaintext: { ...xds.plaintext, port: plaintext.port } }),
      ...(xds.tls && tls && { tls: { ...xds.tls, port: tls.port } }),
    };
    const served = { log, mesh, xds: { ...xds, ...ports }, ...(secrets && { secrets }) };
    return { type: "start", config: served, baseDir, busPath: this.#busPath(), terminal };
  }
}

/** One worker and those that come after it in its place. */
class Member {
  readonly #index: number;
  readonly #options: WorkerPoolOptions;
  readonly #message: () => ToWorker;
  readonly #questions = new Map<number, () => void>();
  #worker: Worker | undefined;
  #exited: Promise<unknown> = Promise.resolve();
  #kept: Promise<void> = Promise.resolve();
  #status = nothing;
  #listens = false;
  #asked = 0;

  constructor(index: number, options: WorkerPoolOptions, message: () => ToWorker) {
    this.#index = index;
    this.#options = options;
    this.#message = message;
  }

  /** Starts it, and again whenever it ends before `signal` aborts. Resolves when it listens for the first time. */
  async start(signal: AbortSignal): Promise<XdsServerAddresses> {
    const addresses = await this.#fork();
    this.#kept = this.#keep(signal);
    return addresses;
  }

  clients(): readonly ClientStatus[] {
    return this.#status.clients.map((client) => ({
      ...client,
      stream: this.#index * streamsPerWorker + client.stream,
    }));
  }

  namesOf(stream: number): ReadonlyMap<string, readonly string[]> | undefined {
    return this.#status.names.get(stream);
  }

  metrics(): readonly object[] {
    return this.#status.metrics;
  }

  async refresh(names: boolean): Promise<void> {
    const worker = this.#worker;
    // One that begins has nothing to say yet.
    if (worker?.isConnected() !== true || !this.#listens) return;
    const id = ++this.#asked;
    const { clock } = this.#options;
    const late = new AbortController();
    const answered = new Promise<void>((resolve) => this.#questions.set(id, resolve));
    say(worker, { type: "ask", id, names });
    await Promise.race([answered, clock.sleep(answerMs, late.signal).catch(() => undefined)]);
    late.abort();
    this.#questions.delete(id);
  }

  async end(ms: number): Promise<void> {
    const worker = this.#worker;
    if (worker !== undefined) {
      say(worker, { type: "drain", ms });
      const { clock } = this.#options;
      const late = new AbortController();
      await Promise.race([this.#exited, clock.sleep(ms + endMs, late.signal).catch(() => undefined)]);
      late.abort();
      if (!worker.isDead()) worker.process.kill("SIGKILL");
      await this.#exited;
    }
    await this.#kept;
  }

  async #keep(signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options;
    const waits = backoff();
    while (!isAborted(signal)) {
      const pid = this.#worker?.process.pid;
      const began = clock.now();
      await this.#exited;
      if (isAborted(signal)) return;
      this.#status = nothing;
      if (clock.now() - began > 60_000) waits.reset();
      const inMs = waits.next();
      logger.error("worker-ended", { worker: pid, restartInMs: Math.round(inMs) });
      try {
        await clock.sleep(inMs, signal);
        if (isAborted(signal)) return;
        await this.#fork();
      } catch (error) {
        if (!isAborted(signal)) logger.error("worker-failed", { error });
      }
    }
  }

  async #fork(): Promise<XdsServerAddresses> {
    const listening = new Deferred<XdsServerAddresses>();
    const worker = cluster.fork();
    this.#worker = worker;
    this.#listens = false;
    this.#exited = new Promise((resolve) => {
      worker.once("exit", () => {
        listening.reject(new Error("a worker ended before it listened"));
        resolve(undefined);
      });
    });
    // A worker that died while something was said to it; its exit is noticed.
    worker.on("error", () => undefined);
    worker.on("message", (message: FromWorker) => {
      if (message.type === "ready") say(worker, this.#message());
      if (message.type === "listening") {
        this.#listens = true;
        listening.resolve(message.addresses);
      }
      if (message.type === "failed") listening.reject(errorOf(message.error));
      if (message.type === "answer") {
        this.#status = message.status;
        this.#questions.get(message.id)?.();
      }
    });
    return listening.wait(new AbortController().signal);
  }
}

function say(worker: Worker, message: ToWorker): void {
  if (worker.isConnected()) worker.send(message);
}

// A property read that the compiler does not narrow over an await.
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}
