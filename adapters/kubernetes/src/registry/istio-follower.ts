import { istioKinds } from "@signalbox/istio-objects";
import type { ConfigObject } from "@signalbox/model";
import { backoff, isAborted, pause, SourceError } from "@signalbox/registry";
import type { ApiClient } from "../client.ts";
import type { KubernetesConfig } from "../config.ts";
import { readIstioObject } from "../convert/istio-object.ts";
import type { FollowOptions } from "./follow-options.ts";
import { discoverIstioKinds, type ServedKind } from "./istio-discovery.ts";
import { namespacesOf } from "./namespaces-of.ts";
import type { Collection, Part, Session } from "./session.ts";

/** What following Istio's kinds needs beside what a run has. */
export interface IstioFollowOptions extends FollowOptions {
  readonly api: Pick<ApiClient, "get">;
  readonly session: Session;
  /** Keeps the state equal to a collection until the signal aborts. Never rejects. */
  readonly follow: (collection: Collection<ConfigObject>, until: AbortSignal) => Promise<void>;
}

/** How many collections of Istio's kinds may be followed at once. */
export function istioCollections({ istio, namespaces }: KubernetesConfig): number {
  return istio === false ? 0 : istioKinds.length * namespacesOf(namespaces).length;
}

/**
 * Follows those kinds of Istio that the API server has, until the signal aborts. Asks for them again every `discoveryMs`: definitions may be
 * installed later, and rights given. A kind that two answers in a row lack is gone with its objects.
 */
export async function followIstio(options: IstioFollowOptions): Promise<void> {
  const { api, config, deps, session, signal } = options;
  const { discoveryMs, istio, requestMs } = config;
  const waits = backoff({ firstMs: 500, maxMs: Math.min(30_000, discoveryMs) });
  const running = new Running(options);
  let isRefused = false;
  const refused = (error: Error): void => {
    if (!isRefused) deps.logger.warn("kubernetes-istio-refused", { path: discovery.path, error });
    isRefused = true;
  };
  const discovery: Part = { kind: "Istio", path: "/apis", refused: istio === "auto" ? refused : undefined };
  session.expect(discovery);
  try {
    while (!signal.aborted) {
      let wait = discoveryMs;
      try {
        const served = await discoverIstioKinds(api, { requestMs, signal });
        if (istio === true && served.length === 0) throw new SourceError("PROTOCOL_ERROR", "/apis: no kinds of Istio");
        running.take(served);
        session.found(discovery);
        isRefused = false;
        waits.reset();
      } catch (error) {
        if (isAborted(signal)) return;
        const reason = error instanceof Error ? error : new Error("the discovery failed", { cause: error });
        wait = session.failed(discovery, reason) ? discoveryMs : waits.next();
      }
      await pause(wait, deps.clock, signal);
    }
  } finally {
    await running.end();
  }
}

interface RunningCollection {
  readonly collection: Collection<ConfigObject>;
  readonly stop: AbortController;
  readonly done: Promise<void>;
  /** The last answer lacked it. */
  isMissing: boolean;
}

/** The collections that are followed now. */
class Running {
  readonly #options: IstioFollowOptions;
  readonly #known = new Map<string, RunningCollection>();
  /** Those that were ended and still come to rest. */
  readonly #ending = new Set<Promise<void>>();

  constructor(options: IstioFollowOptions) {
    this.#options = options;
  }

  /** Follows what is served and not followed yet, and ends what is gone. */
  take(served: readonly ServedKind[]): void {
    const places = new Set<string>();
    for (const kind of served) {
      for (const { namespace, part } of namespacesOf(this.#options.config.namespaces)) {
        const path = `${kind.path}${part}/${kind.kind.plural}`;
        places.add(path);
        if (!this.#known.has(path)) this.#start(kind, namespace, path);
      }
    }
    const kinds = new Set(served.map(({ kind }) => kind.kind));
    for (const [path, running] of this.#known) {
      if (places.has(path)) {
        running.isMissing = false;
      } else if (kinds.has(running.collection.kind)) {
        // Another version has the same objects.
        this.#stop(path);
      } else if (!running.isMissing) {
        running.isMissing = true;
      } else {
        this.#stop(path);
        const { collection } = running;
        collection.replace(new Map(), { namespace: collection.namespace, keep: new Set() });
        this.#options.session.forget(collection);
      }
    }
  }

  /** Ends all, and resolves when all is at rest. */
  async end(): Promise<void> {
    for (const path of this.#known.keys()) this.#stop(path);
    await Promise.all(this.#ending);
  }

  #start({ kind }: ServedKind, namespace: string | undefined, path: string): void {
    const { config, context, deps, follow, session, signal } = this.#options;
    const { istio } = session.state;
    let wasRead = false;
    const refused = (error: Error) => {
      deps.logger.warn("kubernetes-istio-refused", { path, error });
      // The next answer to what is served starts it anew.
      this.#stop(path);
    };
    const collection: Collection<ConfigObject> = {
      kind: kind.kind,
      namespace,
      path,
      // Once it was read, what is known of it is in force, and a refusal is a failure.
      get refused() {
        return config.istio === "auto" && !wasRead ? refused : undefined;
      },
      read: (raw) => readIstioObject(raw, kind, context.registry),
      replace: (items, scope) => {
        wasRead = true;
        istio.replace(kind.kind, items, scope);
      },
      put: (_key, object) => istio.put(object),
      remove: (key) => istio.remove(kind.kind, key),
    };
    session.expect(collection);
    const stop = new AbortController();
    const done = follow(collection, AbortSignal.any([signal, stop.signal]));
    this.#known.set(path, { collection, stop, done, isMissing: false });
  }

  #stop(path: string): void {
    const running = this.#known.get(path);
    if (running === undefined) return;
    this.#known.delete(path);
    this.#options.session.forget(running.collection);
    running.stop.abort();
    this.#ending.add(running.done);
    void running.done.finally(() => this.#ending.delete(running.done));
  }
}
