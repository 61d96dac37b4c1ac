import { SourceError, type Problem } from "@signalbox/registry";
import { problemOf } from "../client.ts";
import type { ReadObject, ReflectorTarget } from "../client/reflector.ts";
import { objectName } from "../convert/objects.ts";
import type { Report } from "../convert/objects.ts";
import { MalformedObjectError } from "../convert/raw.ts";
import type { FollowOptions } from "./follow-options.ts";
import type { KubeObjects } from "./cluster-state.ts";
import { WholeState } from "./whole-state.ts";

/** Something of the cluster that is read. */
export interface Part {
  /** For metrics: the kind of the objects. */
  readonly kind: string;
  readonly path: string;
  /** Where it may be refused: called once it was, so that it is not asked for all the time. */
  readonly refused?: ((error: Error) => void) | undefined;
}

/** One collection that is followed, and where its objects go. */
export interface Collection<T> extends Part {
  readonly namespace: string | undefined;
  readonly fieldSelector?: string;
  /** Reads one object; `undefined` where nothing of it is needed. Throws a MalformedObjectError. */
  readonly read: (raw: unknown, report: Report) => T | undefined;
  readonly replace: (
    items: ReadonlyMap<string, T>,
    scope: { readonly namespace: string | undefined; readonly keep: ReadonlySet<string> },
  ) => void;
  readonly put: (key: string, item: T) => void;
  readonly remove: (key: string) => void;
}

const maximumLagMs = 3_600_000;

/** What one run knows, and what it has told. */
export class Session {
  readonly state: WholeState;
  readonly #options: FollowOptions;
  /** What has not been read yet. Before all was, nothing is known completely. */
  readonly #missing = new Set<Part>();
  /** What was refused and may be, since the last complete list of anything. */
  readonly #waived = new Set<Part>();
  readonly #failing = new Map<Part, { readonly problem: Problem; readonly error: Error }>();
  #synced = false;
  #flush: NodeJS.Immediate | undefined;
  #ended = false;

  constructor(options: FollowOptions) {
    this.#options = options;
    const { logger, metrics } = options.deps;
    this.state = new WholeState(options.context, options.config.namespaces, (object, error) => {
      logger.error("kubernetes-handler-failed", { object, error });
      metrics.counter("kubernetes_handler_failures_total", { kind: "conversion" });
    });
  }

  /** Waits with the first snapshot until this part was read, or was refused and may be. */
  expect(part: Part): void {
    if (!this.#synced) this.#missing.add(part);
  }

  /** The part was read. */
  found(part: Part): void {
    this.#missing.delete(part);
    // Who was refused while the source was in trouble is asked once more, now that it answers.
    if (!this.#synced) this.#waived.clear();
    if (this.#failing.delete(part)) this.#options.deps.logger.info("kubernetes-read-again", { path: part.path });
    this.#schedule();
  }

  /** The part cannot be read now. Whether that was let pass: it may be refused, and nobody waits for it. */
  failed(part: Part, error: Error): boolean {
    const { deps, sink } = this.#options;
    const problem = problemOf(error);
    deps.metrics.counter("kubernetes_read_errors_total", { kind: part.kind, problem });
    if (part.refused !== undefined && problem !== "UNREACHABLE") {
      if (this.#synced) part.refused(error);
      else this.#waived.add(part);
      this.#schedule();
      return this.#synced;
    }
    this.#failing.set(part, { problem, error });
    if (!this.#ended) sink.degraded(problem, error);
    return false;
  }

  /** The part is followed no more: nothing that was wrong with it matters. */
  forget(part: Part): void {
    this.#missing.delete(part);
    this.#waived.delete(part);
    this.#failing.delete(part);
    this.#schedule();
  }

  end(): void {
    this.#ended = true;
    clearImmediate(this.#flush);
  }

  /** Reads an object as far as it makes sense; what is left out is counted. */
  read<T>({ kind, read }: Collection<T>, raw: unknown): ReadObject<T> {
    let key: string | undefined;
    try {
      key = objectName(raw);
      const known = key;
      return { key, item: read(raw, (error) => this.#reject(kind, known, error)) };
    } catch (error) {
      this.#reject(kind, key, error);
      return { key, item: undefined, malformed: true };
    }
  }

  /** Whom the reflector of a collection tells what it sees. */
  target<T>(collection: Collection<T>): ReflectorTarget<T> {
    const { kind, namespace } = collection;
    const { deps } = this.#options;
    const contained = (act: () => void) => {
      try {
        act();
      } catch (error) {
        deps.logger.error("kubernetes-handler-failed", { kind, error });
        deps.metrics.counter("kubernetes_handler_failures_total", { kind });
      }
    };
    const counted = {
      lists: () => deps.metrics.counter("kubernetes_lists_total", { kind }),
      relists: () => deps.metrics.counter("kubernetes_relists_total", { kind }),
      watches: () => deps.metrics.counter("kubernetes_watches_total", { kind }),
      cuts: () => deps.metrics.counter("kubernetes_watch_cuts_total", { kind }),
      expired: () => deps.metrics.counter("kubernetes_watch_expiries_total", { kind }),
    };
    return {
      replace: (items, unreadable) =>
        contained(() => {
          collection.replace(items, { namespace, keep: unreadable });
          this.found(collection);
        }),
      put: (key, item) =>
        contained(() => {
          deps.metrics.counter("kubernetes_events_total", { kind });
          if (kind === "EndpointSlice") this.#observeLag(key, item as KubeObjects["EndpointSlice"]);
          collection.put(key, item);
          this.#schedule();
        }),
      remove: (key) =>
        contained(() => {
          deps.metrics.counter("kubernetes_events_total", { kind });
          collection.remove(key);
          this.#schedule();
        }),
      fresh: () => {
        if (this.#failing.delete(collection)) deps.logger.info("kubernetes-read-again", { path: collection.path });
        this.#schedule();
      },
      failed: (error) => void this.failed(collection, error),
      listed: (ms) => deps.metrics.histogram("kubernetes_list_seconds", ms / 1000, { kind }),
      count: (event) => counted[event](),
    };
  }

  /** Measures how late a change of endpoints is. Lists and repetitions say nothing about that. */
  #observeLag(key: string, { triggeredAt }: KubeObjects["EndpointSlice"]): void {
    const { clock, metrics } = this.#options.deps;
    if (triggeredAt === undefined || this.state.kube.slice(key)?.triggeredAt === triggeredAt) return;
    const lag = clock.now() - triggeredAt;
    // A clock that is wrong by hours tells nothing.
    if (lag >= 0 && lag < maximumLagMs) metrics.histogram("kubernetes_endpoints_lag_seconds", lag / 1000);
  }

  #reject(kind: string, object: string | undefined, error: unknown): void {
    const { logger, metrics } = this.#options.deps;
    const reason = error instanceof MalformedObjectError ? error.message : String(error);
    metrics.counter("kubernetes_objects_rejected_total", { kind });
    logger.warn("kubernetes-object-rejected", { kind, object, reason });
  }

  /** What arrives together is told together. */
  #schedule(): void {
    if (this.#ended) return;
    this.#flush ??= setImmediate(() => {
      this.#flush = undefined;
      this.#tell();
    });
  }

  #tell(): void {
    const { sink } = this.#options;
    if (this.#ended || [...this.#missing].some((part) => !this.#waived.has(part))) return;
    const update = this.#synced ? this.state.take() : this.state.snapshot();
    this.#synced = true;
    this.#missing.clear();
    for (const part of this.#waived) part.refused?.(new SourceError("AUTH_FAILED", `${part.path} may not be read`));
    this.#waived.clear();
    const [failure] = this.#failing.values();
    if (update !== undefined) sink.push(update);
    else if (failure === undefined) sink.alive();
    // News of one collection do not make good what is wrong with another.
    if (update !== undefined && failure !== undefined) sink.degraded(failure.problem, failure.error);
  }
}
