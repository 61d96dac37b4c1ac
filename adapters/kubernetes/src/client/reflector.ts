import { HttpError } from "@signalbox/http-client";
import { backoff, isAborted, pause, SourceError, type Backoff, type Clock } from "@signalbox/registry";
import { ExpiredError, statusError, type ApiClient } from "../client.ts";

/** Whom a reflector tells what it sees. None of the calls may throw. */
export interface ReflectorTarget<T> {
  /** A complete list. Of the objects in `unreadable`, what was known before stays. */
  replace(items: ReadonlyMap<string, T>, unreadable: ReadonlySet<string>): void;
  put(key: string, item: T): void;
  remove(key: string): void;
  /** The source is alive, and what was told is still true. */
  fresh(): void;
  /** The source cannot be read now; the reflector tries again by itself. */
  failed(error: Error): void;
  /** How long a complete list took, in milliseconds. */
  listed(ms: number): void;
  /** Something worth counting. */
  count(event: "lists" | "relists" | "watches" | "cuts" | "expired"): void;
}

/** An object as it was read: its key, where it has one, and what is kept of it. */
export interface ReadObject<T> {
  readonly key: string | undefined;
  /** `undefined`: nothing of it is needed, or it is malformed. */
  readonly item: T | undefined;
  /** It cannot be read, so that what was known of it stays. */
  readonly malformed?: boolean;
}

/** What one reflector follows. */
export interface ReflectorOptions<T> {
  readonly api: Pick<ApiClient, "get">;
  /** Path of the collection, without a query: `/api/v1/services`. */
  readonly path: string;
  /** Only objects that fit, for example `status.phase!=Failed`. */
  readonly fieldSelector?: string;
  /** Reads one object. Must not throw. */
  readonly read: (raw: unknown) => ReadObject<T>;
  readonly target: ReflectorTarget<T>;
  readonly pageSize: number;
  /** Longest silence of an answer, in milliseconds. */
  readonly requestMs: number;
  /** Longest silence of a watch, in milliseconds. */
  readonly watchdogMs: number;
  /** A watch is asked to end after a random time between this and twice as long, in seconds. */
  readonly watchSeconds: number;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** A number from 0 (inclusive) to 1 (exclusive). Default `Math.random`. */
  readonly random?: () => number;
}

/** A page of a list, and one object of a watch, in bytes. etcd takes 1.5 MB for one object. */
const maximumPage = 256 * 1024 * 1024;
const maximumLine = 8 * 1024 * 1024;
/** A watch that lasted so long was a good one: the next follows at once. */
const steadyMs = 1000;

/**
 * Keeps the target equal to one collection of an API server, by list and watch, until the signal aborts; then it resolves. Never
 * gives up: every failure is told and tried again, after 0.5 to 30 seconds of full jitter. A list that does not reach its end is
 * no list. An expired version makes a new list at once, unless the one before it expired as well; its outcome replaces the old
 * state in one step.
 */
export async function reflect<T>(options: ReflectorOptions<T>): Promise<void> {
  const { clock, random = Math.random, signal, target } = options;
  const waits = backoff({ firstMs: 500, maxMs: 30_000, random });
  let version: string | undefined;
  let listed = false;
  let expired = false;
  while (!signal.aborted) {
    let startedAt = Number.POSITIVE_INFINITY;
    try {
      if (version === undefined) {
        target.count(listed ? "relists" : "lists");
        const begun = clock.now();
        version = await list(options);
        target.listed(clock.now() - begun);
        listed = true;
      }
      startedAt = clock.now();
      await watch(options, version, waits, (seen) => {
        version = seen;
      });
      if (clock.now() - startedAt >= steadyMs) {
        expired = false;
        waits.reset();
        continue;
      }
    } catch (error) {
      if (isAborted(signal)) return;
      // A request that nobody answers takes its time, too, but its error says so.
      if (clock.now() - startedAt >= steadyMs && error instanceof HttpError && error.failure === "IDLE") waits.reset();
      if (mustRelist(error)) version = undefined;
      if (error instanceof ExpiredError) {
        target.count("expired");
        // Who says so is there again: the waits of the outage before are over, and what is known is old.
        if (!expired) waits.reset();
        expired = true;
      } else target.failed(error instanceof Error ? error : new Error("the read failed", { cause: error }));
    }
    await pause(waits.next(), clock, signal);
  }
}

/**
 * A version that expired, an answer that made no sense, and a silence: a watch from a version that the server has not reached yet,
 * as after etcd was restored from a backup, is silent for ever.
 */
function mustRelist(error: unknown): boolean {
  if (error instanceof ExpiredError || error instanceof SyntaxError) return true;
  if (error instanceof SourceError) return error.problem === "PROTOCOL_ERROR";
  return error instanceof HttpError && error.failure === "IDLE";
}

async function list<T>(options: ReflectorOptions<T>): Promise<string> {
  const { api, path, pageSize, read, requestMs, signal, target } = options;
  const items = new Map<string, T>();
  const unreadable = new Set<string>();
  let version: string | undefined;
  let next = "";
  do {
    const query = new URLSearchParams({ limit: String(pageSize) });
    if (options.fieldSelector !== undefined) query.set("fieldSelector", options.fieldSelector);
    if (next !== "") query.set("continue", next);
    const request = { path: `${path}?${query.toString()}`, signal, idleMs: requestMs, maxBytes: maximumPage };
    const answer = await api.get(request);
    const page = parsePage(await answer.text(), path);
    // Objects are cut down page by page: the whole of a large cluster would not fit.
    for (const raw of page.items) {
      const { key, item, malformed } = read(raw);
      if (key === undefined) continue;
      if (item !== undefined) items.set(key, item);
      else if (malformed === true) unreadable.add(key);
    }
    version ??= page.version;
    next = page.next;
  } while (next !== "");
  signal.throwIfAborted();
  target.replace(items, unreadable);
  target.fresh();
  return version;
}

interface Page {
  readonly items: readonly unknown[];
  readonly version: string;
  readonly next: string;
}

function parsePage(text: string, path: string): Page {
  const body: unknown = JSON.parse(text);
  const { items, kind, metadata } = membersOf(body);
  const { continue: next, resourceVersion: version } = membersOf(metadata);
  // Go writes an empty list as null.
  const isList = typeof kind === "string" && kind.endsWith("List") && (Array.isArray(items) || items === null);
  if (!isList || typeof version !== "string" || version === "")
    throw new SourceError("PROTOCOL_ERROR", `${path}: the answer is no list of Kubernetes objects`);
  return { items: (items as readonly unknown[] | null) ?? [], version, next: typeof next === "string" ? next : "" };
}

async function watch<T>(
  options: ReflectorOptions<T>,
  version: string,
  waits: Backoff,
  onVersion: (version: string) => void,
): Promise<void> {
  const { api, path, random = Math.random, signal, target, watchdogMs, watchSeconds } = options;
  target.count("watches");
  const query = new URLSearchParams({
    watch: "1",
    allowWatchBookmarks: "true",
    resourceVersion: version,
    // Not all at once: a server that restarted has given all its clients the same start.
    timeoutSeconds: String(watchSeconds + Math.floor(random() * (watchSeconds + 1))),
  });
  if (options.fieldSelector !== undefined) query.set("fieldSelector", options.fieldSelector);
  const request = { path: `${path}?${query.toString()}`, signal, idleMs: watchdogMs, maxBytes: maximumLine };
  const answer = await api.get(request);
  target.fresh();
  try {
    for await (const line of answer.lines()) {
      if (isAborted(signal)) return;
      if (line !== "") onVersion(takeLine(line, options));
      waits.reset();
    }
  } catch (error) {
    // Balancers and restarts cut watches all the time. Whether it is a failure shows the next request.
    if (!(error instanceof HttpError) || error.failure !== "CUT") throw error;
    target.count("cuts");
  }
}

/** Takes one event and returns the version to continue from. */
function takeLine<T>(line: string, options: ReflectorOptions<T>): string {
  const event = membersOf(JSON.parse(line));
  if (event["type"] === "ERROR") throw inStreamError(event["object"], options.path);
  const { resourceVersion } = membersOf(membersOf(event["object"])["metadata"]);
  if (typeof resourceVersion !== "string")
    throw new SourceError("PROTOCOL_ERROR", `${options.path}: an event without a version`);
  take(event, options);
  return resourceVersion;
}

function take<T>(event: Readonly<Record<string, unknown>>, { path, read, target }: ReflectorOptions<T>): void {
  switch (event["type"]) {
    case "BOOKMARK":
      target.fresh();
      return;
    case "ADDED":
    case "MODIFIED": {
      const { key, item, malformed } = read(event["object"]);
      if (key === undefined || malformed === true) return;
      if (item !== undefined) target.put(key, item);
      // Not needed any more, for example because a label went: what it was before is gone.
      else target.remove(key);
      return;
    }
    case "DELETED": {
      const { key } = read(event["object"]);
      if (key !== undefined) target.remove(key);
      return;
    }
    default:
      throw new SourceError("PROTOCOL_ERROR", `${path}: an event of an unknown type`);
  }
}

function inStreamError(status: unknown, path: string): Error {
  const { code, message, reason } = membersOf(status);
  const said = typeof message === "string" ? message.slice(0, 500) : "";
  const number = typeof code === "number" ? code : reason === "Expired" || reason === "Gone" ? 410 : 500;
  return statusError(number, `${path}: the watch ended with ${number} ${said}`);
}

function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
