import { isIP } from "node:net";
import type { LogBusOptions } from "../log/log-bus.ts";

/** A value, or a function that is asked for it before each connection, so that it may change. */
export type Current<T> = T | (() => T | Promise<T>);

/** TLS to the server. Texts are PEM. */
export interface RedisTls {
  /** Authorities of the server's certificate, instead of the well-known ones. */
  readonly ca?: string;
  /** The client's certificate, followed by intermediate ones. Needs `key`. */
  readonly cert?: string;
  readonly key?: string;
  /** Name asked for in the handshake and expected in the certificate, instead of the host. */
  readonly serverName?: string;
}

/** How a bus over Redis is made. */
export interface RedisBusOptions extends LogBusOptions {
  /**
   * Name of the catalog: one writer and any number of readers share it. Letters, digits, `.`, `_` and `-`, at most 64. All
   * keys begin with `{signalbox:<name>}:`.
   */
  readonly name: string;
  /** `redis://host:port/db`, or `rediss://…` for TLS. Credentials in it count unless they are given beside it. */
  readonly url?: string;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** Default 6379. */
  readonly port?: number;
  /** Number of the database. Default 0. */
  readonly db?: number;
  /** Default: the server's user `default`. */
  readonly username?: Current<string>;
  readonly password?: Current<string>;
  /** Makes connections use TLS. The server's certificate is always verified. */
  readonly tls?: Current<RedisTls>;
  /** How long a call may take, in milliseconds, with the connection that it may need. Default 2000. */
  readonly callMs?: number;
  /** Longer messages are split. Bytes; default 256 KiB. */
  readonly maxFrameBytes?: number;
}

/** Thrown when a bus over Redis cannot be made of its options. No message holds a secret. */
export class RedisOptionsError extends Error {
  readonly code = "SBX_REDIS_OPTIONS";

  constructor(reason: string) {
    super(`redis: ${reason}`);
    this.name = "RedisOptionsError";
  }
}

/** Where a connection goes and who it says it is. */
export interface RedisTarget {
  readonly host: string;
  readonly port: number;
  readonly db: number;
  /** For messages: `host:port`. */
  readonly where: string;
  readonly username: Current<string> | undefined;
  readonly password: Current<string> | undefined;
  readonly tls: Current<RedisTls> | undefined;
}

/** Reads the options. Throws a RedisOptionsError. */
export function redisTarget(options: RedisBusOptions): RedisTarget {
  if (!/^[A-Za-z0-9._-]{1,64}$/.test(options.name))
    throw new RedisOptionsError("the name of a catalog has 1 to 64 letters, digits, dots, underscores and hyphens");
  const url = options.url === undefined ? undefined : parseUrl(options.url);
  const host = options.host ?? url?.host ?? "127.0.0.1";
  const port = options.port ?? url?.port ?? 6379;
  const db = options.db ?? url?.db ?? 0;
  const username = options.username ?? url?.username;
  const password = options.password ?? url?.password;
  if (host === "") throw new RedisOptionsError("the host is empty");
  if (!Number.isInteger(port) || port < 1 || port > 65_535) throw new RedisOptionsError("a port is 1 to 65535");
  if (!Number.isInteger(db) || db < 0) throw new RedisOptionsError("the number of a database is 0 or more");
  if (username !== undefined && password === undefined) throw new RedisOptionsError("a username needs a password");
  if (url?.tls === false && options.tls !== undefined)
    throw new RedisOptionsError("tls is given, but the URL says redis:// instead of rediss://");
  const tls = options.tls ?? (url?.tls === true ? {} : undefined);
  const where = isIP(host) === 6 ? `[${host}]:${port}` : `${host}:${port}`;
  return { host, port, db, where, username, password, tls };
}

/** The value as it is now. */
export async function currentOf<T extends object | string>(value: Current<T> | undefined): Promise<T | undefined> {
  return typeof value === "function" ? await (value as () => T | Promise<T>)() : value;
}

interface UrlParts {
  readonly host: string;
  readonly port: number | undefined;
  readonly db: number | undefined;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly tls: boolean;
}

// The URL itself is in no message: it may hold a password.
function parseUrl(text: string): UrlParts {
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    throw new RedisOptionsError("the URL cannot be read");
  }
  if (url.protocol !== "redis:" && url.protocol !== "rediss:")
    throw new RedisOptionsError("the URL begins with redis:// or rediss://");
  if (url.search !== "" || url.hash !== "") throw new RedisOptionsError("the URL has a query or a fragment");
  const path = /^\/?(\d*)$/.exec(url.pathname);
  if (path === null) throw new RedisOptionsError("behind the host, a URL has the number of a database or nothing");
  const given = (part: string): string | undefined => (part === "" ? undefined : decodePart(part));
  return {
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? undefined : Number(url.port),
    db: path[1] === "" ? undefined : Number(path[1]),
    username: given(url.username),
    password: given(url.password),
    tls: url.protocol === "rediss:",
  };
}

function decodePart(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new RedisOptionsError("the credentials in the URL are not percent-encoded");
  }
}
