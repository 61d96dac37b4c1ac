import { HttpError } from "@signalbox/http-client";
import { SourceError, type Clock, type Logger } from "@signalbox/registry";
import { ApiClient, problemOf } from "../../client.ts";
import { connect, serviceAccountDir } from "../../client/connect.ts";
import { reflect, type ReflectorTarget } from "../../client/reflector.ts";
import type { KubernetesSecretsConfig } from "./config.ts";
import { readSecret, secretTypes, type KubernetesSecret } from "./read-secret.ts";

/** How Secrets are followed. */
export interface FollowSecretsOptions {
  readonly config: KubernetesSecretsConfig;
  /** The keys of Secrets that are of interest; nothing else of them is kept. */
  readonly keys: readonly string[];
  /** Folder that relative paths start from. */
  readonly baseDir: string;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Gets what changed, by `<namespace>/<name>`; undefined for what is gone. Must not throw. */
  readonly push: (changes: ReadonlyMap<string, KubernetesSecret | undefined>) => void;
  readonly signal: AbortSignal;
}

/**
 * Follows Secrets of types that hold certificates, in the configured namespaces, until the signal aborts; then resolves with every
 * connection closed. What cannot be read stays as it was told. Other Secrets never leave the API server, and nothing of a Secret is logged.
 */
export async function followSecrets(options: FollowSecretsOptions): Promise<void> {
  const { baseDir, clock, config, logger, signal } = options;
  const keys = new Set(options.keys);
  const surroundings = { baseDir, env: process.env, serviceAccountDir };
  const { namespaces, pageSize, requestMs, watchdogMs, watchSeconds } = config;
  const collections = namespaces.flatMap((namespace) => secretTypes.map((type) => ({ namespace, type })));
  const connections = collections.length * 2;
  const api = new ApiClient({ connect: () => connect(config, surroundings), connections, requestMs, logger });
  const inner = new AbortController();
  const stop = () => inner.abort(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  if (signal.aborted) stop();
  const common = { api, pageSize, requestMs, watchdogMs, watchSeconds, clock, signal: inner.signal };
  try {
    await Promise.all(
      collections.map(({ namespace, type }) => {
        const path = `/api/v1/namespaces/${namespace}/secrets`;
        const target = new SecretTarget(`${path} of type ${type}`, options);
        const read = (raw: unknown) => readSecret(raw, type, keys);
        return reflect({ ...common, path, fieldSelector: `type=${type}`, read, target });
      }),
    );
  } finally {
    inner.abort();
    signal.removeEventListener("abort", stop);
    await api.close();
  }
}

/** Tells what changed in one collection. */
class SecretTarget implements ReflectorTarget<KubernetesSecret> {
  readonly #origin: string;
  readonly #options: Pick<FollowSecretsOptions, "logger" | "push">;
  /** Versions of what was told. */
  readonly #told = new Map<string, string>();
  #failing: string | undefined;

  constructor(origin: string, options: Pick<FollowSecretsOptions, "logger" | "push">) {
    this.#origin = origin;
    this.#options = options;
  }

  replace(items: ReadonlyMap<string, KubernetesSecret>, unreadable: ReadonlySet<string>): void {
    const gone = [...this.#told.keys()].filter((key) => !items.has(key) && !unreadable.has(key));
    const changed = [...items].filter(([key, { version }]) => this.#told.get(key) !== version);
    this.#push(new Map([...gone.map((key) => [key, undefined] as const), ...changed]), true);
  }

  put(key: string, item: KubernetesSecret): void {
    this.#push(new Map([[key, item]]));
  }

  remove(key: string): void {
    if (this.#told.has(key)) this.#push(new Map([[key, undefined]]));
  }

  fresh(): void {
    if (this.#failing !== undefined) this.#options.logger.info("secrets-readable", { origin: this.#origin });
    this.#failing = undefined;
  }

  failed(error: Error): void {
    const reason = `${problemOf(error)} ${wordsOf(error)}`;
    if (reason !== this.#failing) this.#options.logger.warn("secrets-unreadable", { origin: this.#origin, reason });
    this.#failing = reason;
  }

  listed(): void {}

  count(): void {}

  /** The first list is told even if it is empty: then it is known that there is nothing. */
  #push(changes: ReadonlyMap<string, KubernetesSecret | undefined>, always = false): void {
    for (const [key, item] of changes) {
      if (item === undefined) this.#told.delete(key);
      else this.#told.set(key, item.version);
    }
    if (always || changes.size > 0) this.#options.push(changes);
  }
}

/** Errors of parsers quote what they read, which may be a Secret: only those that never do are passed on. */
function wordsOf(error: Error): string {
  return error instanceof SourceError || error instanceof HttpError ? error.message : "the answer cannot be read";
}
