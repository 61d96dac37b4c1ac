import type { LogBusOptions } from "../log/log-bus.ts";

/** A secret, or what reads it. It is read again for each connection, so that a rotated one is picked up. */
export type Secret = string | (() => string | Promise<string>);

/** How a client proves who it is. */
export type NatsAuth =
  | { readonly type: "password"; readonly user: string; readonly password: Secret }
  | { readonly type: "token"; readonly token: Secret }
  /** An NKey seed, which begins with `SU`. */
  | { readonly type: "nkey"; readonly seed: Secret }
  /** The content of a credentials file: a JWT and its seed. */
  | { readonly type: "creds"; readonly creds: Secret };

/** TLS to the server, as PEM text. Given, even empty, it makes TLS a must. */
export interface NatsTls {
  /** Who signs the server's certificate. Default: the authorities that Node.js trusts. */
  readonly ca?: Secret;
  /** The client's certificate, where the server asks for one. */
  readonly cert?: Secret;
  readonly key?: Secret;
}

/** Options of `createNatsBus`. */
export interface NatsBusOptions extends LogBusOptions {
  /** Which catalog it is: its streams and subjects carry this name. 1 to 64 characters. */
  readonly catalog: string;
  /** Servers of one cluster, as `nats://host:port` or `host:port`. Each connection goes to the first that answers. */
  readonly servers: readonly [string, ...string[]];
  /** How this client is called in the server's own lists. Default `signalbox`. */
  readonly clientName?: string;
  readonly auth?: NatsAuth;
  readonly tls?: NatsTls;
  /** On how many servers each stream is kept: 1, or 3 in a cluster of at least three. Default 1. */
  readonly replicas?: 1 | 3;
  /** The most bytes that one log may take; the server reserves so many, twice while the lead changes. Default: no limit of its own. */
  readonly maxLogBytes?: number;
  /**
   * Milliseconds since 1970, to number claims: numbers stay larger than those before although a server lost its data.
   * Default: the machine's clock.
   */
  readonly wallClock?: () => number;
}

/** Thrown by `createNatsBus` when an option makes no sense. */
export class NatsOptionsError extends Error {
  readonly code = "SBX_NATS_OPTIONS";

  constructor(option: string, expected: string) {
    super(`${option}: expected ${expected}`);
    this.name = "NatsOptionsError";
  }
}

/** Reads a secret as it is now. */
export async function readSecret(secret: Secret): Promise<string> {
  return typeof secret === "string" ? secret : await secret();
}
