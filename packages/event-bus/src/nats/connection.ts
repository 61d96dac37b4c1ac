import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import type { JetStreamClient, JetStreamManager } from "@nats-io/jetstream";
import {
  connect,
  credsAuthenticator,
  nkeyAuthenticator,
  tokenAuthenticator,
  usernamePasswordAuthenticator,
} from "@nats-io/transport-node";
import type { Authenticator, NatsConnection, TlsOptions } from "@nats-io/transport-node";
import { BusClosedError } from "../bus.ts";
import { abortable } from "./abortable.ts";
import { hearLateErrors } from "./late-errors.ts";
import { NatsOptionsError, readSecret } from "./options.ts";
import type { NatsAuth, NatsBusOptions, NatsTls, Secret } from "./options.ts";
import { addressText, greeted, serverAddress } from "./server-address.ts";
import type { ServerAddress } from "./server-address.ts";

/** How long one thing may take, in milliseconds. A server that hangs is noticed within three pings. */
const limits = { connectMs: 2000, requestMs: 2000, pingMs: 1000, closeMs: 1000 } as const;

/** One connection, from its greeting to its loss. */
export interface Session {
  readonly connection: NatsConnection;
  readonly streams: JetStreamClient;
  readonly manager: JetStreamManager;
  /** Aborts when the connection is lost, or its server hangs. */
  readonly lost: AbortSignal;
}

/**
 * Keeps at most one connection, which is made when it is needed. A lost one is given up and the next call makes another,
 * with secrets as they are then: nobody waits for a connection to come back by itself.
 */
export class NatsConnector {
  readonly #options: NatsBusOptions;
  readonly #servers: readonly ServerAddress[];
  readonly #closed = new AbortController();
  #session: Session | undefined;
  #attempt: Promise<Session> | undefined;

  /** Throws a NatsOptionsError for servers that are none. */
  constructor(options: NatsBusOptions) {
    this.#options = options;
    this.#servers = options.servers.map(serverAddress);
    if (this.#servers.length === 0) throw new NatsOptionsError("servers", "at least one");
  }

  /** The connection that is there, or a new one. Rejects when no server can be reached, or all refuse. */
  async session(signal: AbortSignal): Promise<Session> {
    signal.throwIfAborted();
    this.#closed.signal.throwIfAborted();
    if (this.#session?.lost.aborted === false) return this.#session;
    this.#attempt ??= this.#open().finally(() => (this.#attempt = undefined));
    return abortable(this.#attempt, signal);
  }

  /** Does something over the connection. Rejects as soon as it is lost. */
  async use<T>(signal: AbortSignal, act: (session: Session) => Promise<T>): Promise<T> {
    const session = await this.session(signal);
    return abortable(act(session), signal, session.lost);
  }

  /** Ends the connection. */
  async close(): Promise<void> {
    if (!this.#closed.signal.aborted) this.#closed.abort(new BusClosedError());
    await this.#attempt?.catch(() => undefined);
    if (this.#session !== undefined) await end(this.#session.connection);
  }

  async #open(): Promise<Session> {
    const failures: unknown[] = [];
    for (const server of this.#servers) {
      try {
        this.#session = await this.#reach(server);
        return this.#session;
      } catch (error) {
        this.#closed.signal.throwIfAborted();
        failures.push(new Error(`NATS at ${addressText(server)}: ${messageOf(error)}`, { cause: error }));
      }
    }
    throw failures.length === 1 ? failures[0] : new AggregateError(failures, failures.map(messageOf).join("; "));
  }

  async #reach(server: ServerAddress): Promise<Session> {
    const { auth, clientName = "signalbox", tls } = this.#options;
    await greeted(server, limits.connectMs, this.#closed.signal);
    const connection = await connect({
      servers: addressText(server),
      name: clientName,
      reconnect: false,
      timeout: limits.connectMs,
      pingInterval: limits.pingMs,
      maxPingOut: 2,
      noAsyncTraces: true,
      ignoreClusterUpdates: true,
      ...(auth && { authenticator: await authenticatorOf(auth) }),
      ...(tls && { tls: await tlsOf(tls) }),
    });
    hearLateErrors(connection);
    const session = await sessionOf(connection, server);
    if (this.#closed.signal.aborted) {
      await end(connection);
      throw this.#closed.signal.reason;
    }
    return session;
  }
}

async function sessionOf(connection: NatsConnection, server: ServerAddress): Promise<Session> {
  const lost = new AbortController();
  const lose = (why: string): void => {
    if (!lost.signal.aborted) lost.abort(new Error(`NATS at ${addressText(server)}: ${why}`));
  };
  void connection.closed().then((error) => {
    lose(error instanceof Error ? error.message : "the connection was lost");
  });
  void (async () => {
    for await (const { type } of connection.status()) {
      if (type !== "staleConnection") continue;
      lose("it does not answer");
      // The library would first try to send what a hanging server does not take.
      void end(connection);
    }
  })();
  const options = { timeout: limits.requestMs };
  // Without a first look at the account, which a reader's role may not have.
  const manager = await jetstreamManager(connection, { ...options, checkAPI: false });
  return { connection, streams: jetstream(connection, options), manager, lost: lost.signal };
}

async function end(connection: NatsConnection): Promise<void> {
  await abortable(connection.close(), AbortSignal.timeout(limits.closeMs)).catch(() => undefined);
}

async function authenticatorOf(auth: NatsAuth): Promise<Authenticator> {
  const bytes = async (secret: Secret) => new TextEncoder().encode((await readSecret(secret)).trim());
  switch (auth.type) {
    case "password":
      return usernamePasswordAuthenticator(auth.user, await readSecret(auth.password));
    case "token":
      return tokenAuthenticator(await readSecret(auth.token));
    case "nkey":
      return nkeyAuthenticator(await bytes(auth.seed));
    case "creds":
      return credsAuthenticator(await bytes(auth.creds));
  }
}

async function tlsOf({ ca, cert, key }: NatsTls): Promise<TlsOptions> {
  return {
    ...(ca !== undefined && { ca: await readSecret(ca) }),
    ...(cert !== undefined && { cert: await readSecret(cert) }),
    ...(key !== undefined && { key: await readSecret(key) }),
  };
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
