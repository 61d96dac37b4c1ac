import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { BusView } from "@signalbox/debug";
import type { BusLogger, EventBus } from "@signalbox/event-bus";
import type { NatsAuth, NatsTls } from "@signalbox/event-bus/nats";
import { ConfigError } from "@signalbox/registry";
import { pathOf, type BusTls, type SignalboxConfig } from "./schema.ts";
import { secretOf } from "./secret.ts";

/** A bus that says how it is. */
export interface StatusBus extends EventBus {
  status(): BusView;
}

/** What a bus between processes needs besides its configuration. */
export interface BusContext {
  /** Folder that relative paths of the configuration start from. */
  readonly baseDir: string;
  readonly logger: BusLogger;
}

type BusConfig = SignalboxConfig["bus"];

/**
 * Makes the bus between processes that a configuration names; undefined where it names none. The engine need not be up. Files with secrets
 * and certificates are read at each connection. Rejects with a ConfigError where the engine's client cannot use what is configured.
 */
export async function openBus(config: BusConfig, context: BusContext): Promise<StatusBus | undefined> {
  try {
    return await createBus(config, context);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code !== "SBX_NATS_OPTIONS" && code !== "SBX_REDIS_OPTIONS") throw error;
    throw new ConfigError([{ path: ["bus"], message }], { cause: error });
  }
}

async function createBus(config: BusConfig, { baseDir, logger }: BusContext): Promise<StatusBus | undefined> {
  switch (config.type) {
    case "in-process":
      return undefined;
    case "nats": {
      const { createNatsBus } = await import("@signalbox/event-bus/nats");
      const [first = "", ...rest] = config.servers;
      return createNatsBus({
        logger,
        catalog: config.name,
        servers: [first, ...rest],
        replicas: config.replicas,
        ...natsAuth(config, baseDir),
        ...(config.tls !== undefined && { tls: natsTls(config.tls, baseDir) }),
      });
    }
    case "redis": {
      const { createRedisBus } = await import("@signalbox/event-bus/redis");
      return createRedisBus({
        logger,
        name: config.name,
        url: config.url,
        ...(config.username !== undefined && { username: config.username }),
        ...(config.password !== undefined && { password: secretOf(config.password, baseDir) }),
        ...(config.tls !== undefined && { tls: tlsOf(config.tls, baseDir) }),
      });
    }
  }
}

function natsAuth(
  { credentials, password, token, username }: Extract<BusConfig, { type: "nats" }>,
  baseDir: string,
): { readonly auth?: NatsAuth } {
  if (credentials !== undefined)
    return { auth: { type: "creds", creds: secretOf({ file: pathOf(credentials) }, baseDir) } };
  if (token !== undefined) return { auth: { type: "token", token: secretOf(token, baseDir) } };
  if (username === undefined || password === undefined) return {};
  return { auth: { type: "password", user: username, password: secretOf(password, baseDir) } };
}

function natsTls({ ca, cert, key }: BusTls, baseDir: string): NatsTls {
  const read = (path: NonNullable<BusTls["ca"]>) => secretOf({ file: pathOf(path) }, baseDir);
  return {
    ...(ca !== undefined && { ca: read(ca) }),
    ...(cert !== undefined && { cert: read(cert) }),
    ...(key !== undefined && { key: read(key) }),
  };
}

/** Certificates and a key as PEM. */
interface TlsTexts {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

function tlsOf(tls: BusTls, baseDir: string): () => Promise<TlsTexts> {
  const read = (path: BusTls["ca"]) =>
    path === undefined ? undefined : readFile(resolve(baseDir, pathOf(path)), "utf8");
  return async () => {
    const [ca, cert, key] = await Promise.all([read(tls.ca), read(tls.cert), read(tls.key)]);
    return { ...(ca !== undefined && { ca }), ...(cert !== undefined && { cert }), ...(key !== undefined && { key }) };
  };
}
