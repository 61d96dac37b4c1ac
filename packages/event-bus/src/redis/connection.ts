import { isIP } from "node:net";
import { Redis } from "ioredis";
import type { RedisOptions } from "ioredis";
import type { BusClock } from "../clock.ts";
import { currentOf } from "./options.ts";
import type { RedisTarget } from "./options.ts";
import { scripts } from "./scripts.ts";
import type { ScriptName } from "./scripts.ts";

/** What a command or a script takes. */
export type RedisArgument = string | number | Uint8Array;

/** A connection that is ready. Answers are as the protocol has them, texts as buffers. */
export interface RedisClient {
  command(name: string, ...args: readonly RedisArgument[]): Promise<unknown>;
  script(name: ScriptName, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown>;
}

/** Thrown when Redis cannot be reached in time, or answers with an error. The message names the server and holds no secret. */
export class RedisError extends Error {
  readonly code = "SBX_REDIS";
  /** The first word of the server's error, such as `WRONGPASS`, `NOPERM` or `OOM`; absent where it did not answer. */
  readonly reply: string | undefined;

  // Without a cause: the client's errors carry the arguments of the command, and those of a login are secret.
  constructor(where: string, reason: string, reply?: string) {
    super(`redis at ${where}: ${reason}`);
    this.name = "RedisError";
    this.reply = reply;
  }
}

/** What a connection works with. */
export interface ConnectionOptions {
  readonly target: RedisTarget;
  /** What the server lists the connection as. */
  readonly name: string;
  readonly clock: BusClock;
  /** How long a call may take, in milliseconds, with connecting. */
  readonly callMs: number;
}

/** How long the server may take to close a connection that we closed, in milliseconds. */
const goodbyeMs = 100;

/** One connection from its beginning to its end. */
interface Session {
  readonly ready: Promise<RedisClient>;
  /** Resolves when nothing of it is left. */
  readonly ended: Promise<void>;
  /** What the server or the network said first; what follows from it says less. */
  failure(): Error | undefined;
  end(): void;
}

/**
 * A connection that is opened by the first call and, after a failure, by the next one. Nothing waits for a server that does
 * not answer longer than the call's time: a server that hangs is found by that alone.
 */
export class RedisConnection {
  readonly #options: ConnectionOptions;
  readonly #sessions = new Set<Session>();
  #current: Session | undefined;
  #closed = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  /**
   * Calls the server. `blockMs`: how long the command itself may wait there. Rejects with a RedisError, and with the
   * signal's reason as soon as it aborts; the answer is then ignored. After a failure all calls of the connection fail.
   */
  async call<T>(act: (client: RedisClient) => Promise<T>, signal: AbortSignal, blockMs = 0): Promise<T> {
    const { callMs, target } = this.#options;
    signal.throwIfAborted();
    if (this.#closed) throw new RedisError(target.where, "the connection was closed");
    const session = (this.#current ??= this.#open());
    let over = false;
    const answer = session.ready.then((client) => {
      if (over) throw new Error("nobody waits for it");
      return act(client);
    });
    try {
      return await this.#within(callMs + blockMs, answer, signal);
    } catch (error) {
      signal.throwIfAborted();
      if (this.#current === session) this.#current = undefined;
      session.end();
      throw redisError(target.where, session.failure() ?? error);
    } finally {
      over = true;
    }
  }

  /** Ends it. Resolves when the socket and all timers are gone. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#current = undefined;
    for (const session of this.#sessions) session.end();
    await Promise.all([...this.#sessions].map(({ ended }) => ended));
  }

  async #within<T>(ms: number, answer: Promise<T>, signal: AbortSignal): Promise<T> {
    const end = new AbortController();
    const stop = (): void => end.abort(signal.reason);
    signal.addEventListener("abort", stop, { once: true });
    const late = this.#options.clock.sleep(ms, end.signal).then(() => {
      throw new Error(`no answer within ${ms} ms`);
    });
    // Whichever loses the race may still fail.
    answer.catch(() => undefined);
    late.catch(() => undefined);
    try {
      return await Promise.race([answer, late]);
    } finally {
      signal.removeEventListener("abort", stop);
      end.abort();
    }
  }

  #open(): Session {
    let redis: Redis | undefined;
    let failure: Error | undefined;
    let ending = false;
    const connect = async (): Promise<RedisClient> => {
      const settings = await this.#settings();
      if (ending) throw new Error("the connection was closed");
      redis = new Redis(settings);
      redis.on("error", (error: Error) => (failure ??= error));
      // Later commands of a connection that broke must not open it again by themselves.
      redis.on("end", () => {
        if (this.#current === session) this.#current = undefined;
        ended();
      });
      await redis.connect();
      // The client goes on where the server refused a part of the greeting, such as the number of the database.
      if (failure !== undefined) throw failure;
      return clientOf(redis);
    };
    const ready = connect();
    let ended: () => void = () => {};
    const whenEnded = new Promise<void>((resolve) => {
      ended = () => {
        this.#sessions.delete(session);
        resolve();
      };
    });
    ready.catch(() => {
      if (redis === undefined) ended();
    });
    const session: Session = {
      ready,
      ended: whenEnded,
      failure: () => failure,
      end: () => {
        if (ending) return;
        ending = true;
        // Without a client nothing is open: whoever asks for the credentials finds out.
        if (redis === undefined) ended();
        else if (redis.status !== "end") redis.disconnect();
      },
    };
    this.#sessions.add(session);
    return session;
  }

  async #settings() {
    const { callMs, name, target } = this.#options;
    const [username, password, tls] = await Promise.all([
      currentOf(target.username),
      currentOf(target.password),
      currentOf(target.tls),
    ]);
    const serverName = tls?.serverName ?? (isIP(target.host) === 0 ? target.host : undefined);
    return {
      host: target.host,
      port: target.port,
      db: target.db,
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      ...(tls && {
        tls: {
          ...(tls.ca !== undefined && { ca: tls.ca }),
          ...(tls.cert !== undefined && { cert: tls.cert }),
          ...(tls.key !== undefined && { key: tls.key }),
          ...(serverName !== undefined && { servername: serverName }),
        },
      }),
      connectionName: name,
      // RESP2: its login names the password in one command that servers know to be secret.
      protocol: 2,
      lazyConnect: true,
      connectTimeout: callMs,
      disconnectTimeout: goodbyeMs,
      // One try for each call; the next call connects anew, with the credentials of then.
      retryStrategy: null,
      autoResendUnfulfilledCommands: false,
      enableOfflineQueue: false,
      // It needs INFO, which few users may call. A server that is still loading answers so.
      enableReadyCheck: false,
      disableClientInfo: true,
      scripts: Object.fromEntries(Object.entries(scripts).map(([script, lua]) => [script, { lua }])),
    } satisfies RedisOptions;
  }
}

function clientOf(redis: Redis): RedisClient {
  const byName = redis as unknown as Readonly<Record<ScriptName, (...args: unknown[]) => Promise<unknown>>>;
  const plain = (value: RedisArgument): string | number | Buffer =>
    value instanceof Uint8Array ? Buffer.from(value.buffer, value.byteOffset, value.byteLength) : value;
  return {
    command: (name, ...args) => redis.callBuffer(name, args.map(plain)),
    script: (name, keys, args) => byName[name](keys.length, ...keys, ...args.map(plain)),
  };
}

function redisError(where: string, error: unknown): RedisError {
  if (error instanceof RedisError) return error;
  if (!(error instanceof Error)) return new RedisError(where, String(error));
  const isReply = error.name === "ReplyError";
  // An unknown command is answered with its arguments.
  const message = error.message.replace(/,? with args beginning with.*$/su, "");
  const code = "code" in error && typeof error.code === "string" ? error.code : undefined;
  const reason = message === "" ? (code ?? error.name) : message;
  return new RedisError(where, reason, isReply ? (/^[A-Z]+\b/.exec(message)?.[0] ?? "ERR") : undefined);
}
