import { resolve } from "node:path";
import { createAggregate, type AggregateController } from "@signalbox/aggregate";
import { createDebugServer, createMetrics, type SignalboxMetrics } from "@signalbox/debug";
import { createInProcessBus } from "@signalbox/event-bus";
import { silentLogger, systemClock, type Clock, type Logger, type Registry } from "@signalbox/registry";
import { createTranslator, createXdsPublisher, type XdsPublisher } from "@signalbox/xds";
import {
  createFilePublisher,
  createRestDiscovery,
  createXdsServer,
  type ClientStatus,
  type FilePublisher,
  type XdsServer,
} from "@signalbox/xds-server";
import { durationMs } from "./config/duration.ts";
import type { PlannedRegistry } from "./config/registries.ts";
import { pathOf, type SignalboxConfig } from "./config/schema.ts";
import { debugSources } from "./debug-sources.ts";
import { Deferred } from "./deferred.ts";
import { filesEventLog, withFields, xdsEventLog } from "./event-log.ts";
import { namespaceCheck } from "./namespace-check.ts";
import { restSource } from "./rest-source.ts";
import { runParts, type Listening } from "./run-parts.ts";
import { createShardFiles } from "./state/shard-files.ts";

/** What the pipeline needs besides its configuration. */
export interface ComposeOptions {
  readonly baseDir: string;
  /** Registries that come before those of the configuration. */
  readonly registries: readonly Registry[];
  readonly logger?: Logger;
  readonly clock?: Clock;
}

/** The stages, wired. */
export interface Pipeline {
  readonly aggregate: AggregateController;
  /** Makes a registry of a plan; the caller adds it to the aggregate. */
  createRegistry(planned: PlannedRegistry): Registry;
  clients(): readonly ClientStatus[];
  /** Runs all stages until `signal` aborts or one fails; then drains and closes all. Once only. */
  run(signal: AbortSignal): Promise<void>;
  /** Resolves once every server listens. */
  listening(signal: AbortSignal): Promise<Listening>;
}

/** Wires the stages, in the order in which a change travels: adapters, aggregate, bus, xDS publisher, xDS server, debug. */
export function compose(config: SignalboxConfig, options: ComposeOptions): Pipeline {
  const { baseDir, clock = systemClock, logger = silentLogger } = options;
  const { aggregate: gathering, debug: debugSettings, mesh, state, xds: xdsSettings } = config;

  // Debug reads every stage; the stages need its metrics. Reading happens later, so the order of construction is free.
  let draining = false;
  const sources = debugSources({
    aggregate: () => aggregate,
    publisher: () => publisher,
    xds: () => xdsServer,
    draining: () => draining,
    mesh,
  });
  const metrics = createMetrics({ sources, now: () => clock.now(), processMetrics: debugSettings !== false });

  // Adapters: each knows one platform and says what is true there.
  const createRegistry = ({ config: own, id, module, name }: PlannedRegistry): Registry =>
    module.create(own, {
      name,
      logger: withFields(logger, { registry: id }),
      clock,
      metrics: metrics.forRegistry(id),
      baseDir,
    });

  // Bus: the one road from the catalog to whoever publishes it.
  const bus = createInProcessBus();

  // Aggregate: makes one catalog of all registries and publishes what changed on the bus.
  const aggregate = createAggregate({
    bus,
    debounce: gathering.debounce,
    syncDeadlineMs: gathering.syncDeadlineMs,
    ...(state && {
      state: {
        archive: createShardFiles({ dir: resolve(baseDir, state.dir), logger }),
        restore: state.restore,
        saveEveryMs: durationMs(state.saveEvery),
      },
    }),
    clock,
    logger,
    metrics: (id) => metrics.forRegistry(id),
    onPublish: ({ debounceMs }) => metrics.debounced(debounceMs / 1000),
  });
  options.registries.forEach((registry, index) =>
    aggregate.addRegistry(registry, { precedence: index - options.registries.length }),
  );

  // xDS publisher: follows the bus and keeps what each client may see.
  const publisher = createXdsPublisher({
    name: "xds",
    translator: createTranslator({ mesh }),
    logger,
    clock,
    onTranslated: (seconds) => metrics.translated(seconds),
  });

  // xDS server: brings it to the clients, by stream or as files.
  const xdsServer = createServer(xdsSettings, publisher, metrics, logger, baseDir);
  const fileWriter = createFileWriter(xdsSettings, publisher, logger, baseDir);

  // Debug: reads all of the above, and answers xDS by REST.
  const debugServer =
    debugSettings === false
      ? undefined
      : createDebugServer({
          sources,
          metrics,
          host: debugSettings.host,
          port: debugSettings.port,
          allowedHosts: debugSettings.allowedHosts,
          profile: debugSettings.profile,
          rest: restOf(publisher),
          onError: (error, path) => logger.error("debug-page-failed", { path, error }),
        });

  const parts = {
    aggregate,
    bus,
    publisher,
    metrics,
    xdsServer,
    fileWriter,
    debugServer,
    drainMs: xdsSettings.drainMs,
    ports: config,
  };
  const listening = new Deferred<Listening>();
  return {
    aggregate,
    createRegistry,
    clients: () => xdsServer?.status().clients ?? [],
    run: (signal) => {
      signal.addEventListener("abort", () => (draining = true), { once: true });
      return runParts(parts, signal, listening);
    },
    listening: (signal) => listening.wait(signal),
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

function restOf(publisher: XdsPublisher): NonNullable<Parameters<typeof createDebugServer>[0]["rest"]> {
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
