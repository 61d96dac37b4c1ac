import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { BusView } from "@signalbox/debug";
import type { BusLogger, EventBus } from "@signalbox/event-bus";
import { pathOf, type BusTls, type SecretValue, type SignalboxConfig } from "./schema.ts";

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
 * and certificates are read at each connection.
 */
export async function openBus(config: BusConfig, { baseDir, logger }: BusContext): Promise<StatusBus | undefined> {
  const secret = (value: SecretValue): (() => Promise<string>) => secretOf(value, baseDir);
  const tls = (value: BusTls): (() => Promise<TlsTexts>) => tlsOf(value, baseDir);
  switch (config.type) {
    case "in-process":
      return undefined;
    case "redis": {
      const { createRedisBus } = await import("@signalbox/event-bus/redis");
      return createRedisBus({
        logger,
        name: config.name,
        url: config.url,
        ...(config.username !== undefined && { username: config.username }),
        ...(config.password !== undefined && { password: secret(config.password) }),
        ...(config.tls !== undefined && { tls: tls(config.tls) }),
      });
    }
  }
}

function secretOf(value: SecretValue, baseDir: string): () => Promise<string> {
  if (typeof value === "string") return () => Promise.resolve(value);
  const path = resolve(baseDir, value.file);
  return async () => (await readFile(path, "utf8")).replace(/\r?\n$/, "");
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
