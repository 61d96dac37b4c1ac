import { resolve } from "node:path";
import type { RestAnswer, SignalboxMetrics } from "@signalbox/debug";
import type { Logger } from "@signalbox/registry";
import { createTranslator, createXdsPublisher, type XdsPublisher } from "@signalbox/xds";
import {
  createFilePublisher,
  createRestDiscovery,
  createXdsServer,
  type ClientStatus,
  type FilePublisher,
  type XdsServer,
} from "@signalbox/xds-server";
import { pathOf, type SignalboxConfig } from "./config/schema.ts";
import { Deferred } from "./deferred.ts";
import type { StageContext } from "./discovery.ts";
import { filesEventLog, xdsEventLog } from "./event-log.ts";
import { namespaceCheck } from "./namespace-check.ts";
import { restSource } from "./rest-source.ts";
import { publishedSecrets } from "./secrets/published-secrets.ts";

/** What serves clients: an xDS server in this process, or processes that stand for one. */
export interface XdsFront extends Pick<XdsServer, "drain" | "listen"> {
  /** An address is there once it is open. */
  status(): { readonly clients: readonly ClientStatus[]; readonly plaintext?: unknown; readonly tls?: unknown };
  watchedNames(stream: number): ReadonlyMap<string, readonly string[]>;
}

/** The lower half of the pipeline: from the bus to the clients. */
export interface Publishing {
  readonly publisher: XdsPublisher;
  /** Settled as soon as there is a catalog to serve. */
  readonly begun: Pick<Deferred<void>, "wait">;
  /** Absent where the configuration opens no port. */
  readonly xdsServer: XdsServer | undefined;
  readonly fileWriter: FilePublisher | undefined;
  /** Answers xDS by REST, for the debug server. */
  readonly rest: (path: string, body: Buffer) => Promise<RestAnswer>;
}

/** Makes the lower half; without `serve`, no port of xDS is opened, because other processes serve. */
export function composePublishing(
  config: Pick<SignalboxConfig, "mesh" | "secrets" | "xds">,
  context: StageContext,
  serve = true,
): Publishing {
  const { baseDir, clock, logger, metrics } = context;
  const { mesh, secrets, xds: settings } = config;

  const begun = new Deferred<void>();
  // xDS publisher: follows the bus and keeps what each client may see. Secrets it reads by itself: they go over no bus.
  const publisher = createXdsPublisher({
    name: "xds",
    translator: createTranslator({ mesh }),
    vhds: settings.vhds,
    logger,
    clock,
    onTranslated: (seconds) => {
      begun.resolve();
      metrics.translated(seconds);
    },
    // Only who serves streams needs them.
    ...(serve && secrets && { secrets: publishedSecrets(secrets, context) }),
  });

  // xDS server: brings it to the clients, by stream, as files or by REST.
  return {
    publisher,
    begun,
    xdsServer: serve ? createServer(settings, publisher, metrics, logger, baseDir) : undefined,
    fileWriter: createFileWriter(settings, publisher, logger, baseDir),
    rest: restOf(publisher),
  };
}

function createServer(
  settings: SignalboxConfig["xds"],
  publisher: XdsPublisher,
  metrics: SignalboxMetrics,
  logger: Logger,
  baseDir: string,
): XdsServer | undefined {
  const { insecure, limits, plaintext, tls } = settings;
  if (plaintext === false && tls === undefined) return undefined;
  const log = xdsEventLog(logger);
  const file = (path: Parameters<typeof pathOf>[0]): string => resolve(baseDir, pathOf(path));
  return createXdsServer({
    source: publisher.source,
    ...(plaintext === false ? {} : { plaintext }),
    ...(tls === undefined
      ? {}
      : {
          tls: {
            host: tls.host,
            port: tls.port,
            certFile: file(tls.cert),
            keyFile: file(tls.key),
            caFile: file(tls.ca),
          },
        }),
    insecure,
    limits,
    ...(tls?.checkNamespace === true ? { authorize: namespaceCheck(plaintext !== false) } : {}),
    controlPlane: "signalbox",
    onEvent: (event) => {
      metrics.xdsEvent(event);
      log(event);
    },
  });
}

function restOf(publisher: XdsPublisher): Publishing["rest"] {
  const answer = createRestDiscovery({ source: restSource(publisher.source) });
  return async (path, body) =>
    (await answer(path, body)) ?? { status: 404, headers: {}, body: "no such resource type\n" };
}

function createFileWriter(
  { files }: SignalboxConfig["xds"],
  publisher: XdsPublisher,
  logger: Logger,
  baseDir: string,
): FilePublisher | undefined {
  if (files === undefined) return undefined;
  return createFilePublisher({
    source: publisher.source,
    node: { id: files.node, metadata: files.metadata },
    dir: resolve(baseDir, files.dir),
    onEvent: filesEventLog(logger),
  });
}
