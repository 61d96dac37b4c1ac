import { createApi } from "@signalbox/api";
import { createDebugServer, createMetrics } from "@signalbox/debug";
import { createInProcessBus } from "@signalbox/event-bus";
import type { Catalog } from "@signalbox/model";
import { silentLogger, systemClock, type Clock, type Logger, type Registry } from "@signalbox/registry";
import type { ClientStatus } from "@signalbox/xds-server";
import { createAdmission } from "./admission/create-admission.ts";
import { apiSources } from "./api/api-sources.ts";
import { writeRefusal } from "./api/write-refusal.ts";
import { CatalogView } from "./catalog-view.ts";
import type { StatusBus } from "./config/bus.ts";
import type { SignalboxConfig } from "./config/schema.ts";
import { secretOf } from "./config/secret.ts";
import { debugSources } from "./debug-sources.ts";
import { Deferred } from "./deferred.ts";
import { composeDiscovery, type Discovery } from "./discovery.ts";
import { observedLead } from "./observed-lead.ts";
import { composePublishing, type Publishing, type XdsFront } from "./publishing.ts";
import type { Role } from "./role.ts";
import { runParts, type Listening, type Stage } from "./run-parts.ts";
import { version } from "./version.ts";
import { WorkerPool, type WorkerPoolOptions } from "./workers/worker-pool.ts";

/** What the pipeline needs besides its configuration. */
export interface ComposeOptions {
  readonly role: Role;
  /** The bus between the halves of the pipeline, which the pipeline closes at its end. Default: one inside this process. */
  readonly bus?: StatusBus;
  readonly baseDir: string;
  /** Registries that come before those of the configuration. */
  readonly registries: readonly Registry[];
  readonly logger?: Logger;
  readonly clock?: Clock;
  /** Serve xDS in so many processes beside this one. For the role `all`. Default: in this one. */
  readonly workers?: Pick<WorkerPoolOptions, "count" | "terminal"> | undefined;
}

/** The stages, wired. */
export interface Pipeline {
  /** Absent where another process discovers. */
  readonly discovery: Discovery | undefined;
  /** Absent where other processes publish. */
  readonly publishing: Publishing | undefined;
  /** The catalog as this process knows it. */
  catalog(): Catalog;
  clients(): readonly ClientStatus[];
  /** Runs all stages until `signal` aborts or one fails; then drains and closes all. Once only. */
  run(signal: AbortSignal): Promise<void>;
  /** Resolves once every server listens. */
  listening(signal: AbortSignal): Promise<Listening>;
  /** Resolves once there is a catalog to serve: every registry spoke or had its time, and within one process it is served; or the bus gave one. Needs `run`. */
  synced(signal: AbortSignal): Promise<void>;
}

/** Wires the stages, in the order in which a change travels: adapters, aggregate, bus, xDS publisher, xDS server, debug. */
export function compose(config: SignalboxConfig, options: ComposeOptions): Pipeline {
  const { baseDir, bus = createInProcessBus(), clock = systemClock, logger = silentLogger, role } = options;
  const { debug: debugSettings, mesh } = config;

  // Debug reads every stage; the stages need its metrics. Reading happens later, so the order of construction is free.
  let draining = false;
  let synced = false;
  const sources = debugSources({
    role,
    aggregate: () => discovery?.aggregate,
    journal: () => discovery?.journal?.status(),
    publisher: () => publishing?.publisher,
    xds: () => front,
    ...(options.workers && { refresh: (path: string) => pool?.refresh(path === "/debug/adsz") ?? Promise.resolve() }),
    catalog: () => catalog(),
    known: () => (publishing ? publishing.publisher.status().revision !== undefined : synced),
    bus,
    draining: () => draining,
    mesh,
  });
  const metrics = createMetrics({
    sources,
    now: () => clock.now(),
    processMetrics: debugSettings !== false,
    others: () => pool?.metrics() ?? [],
  });
  const context = { baseDir, logger, clock, metrics };

  const discovery =
    role === "publish"
      ? undefined
      : // Who only discovers does not read back what it wrote; it counts what it writes.
        composeDiscovery(
          config,
          role === "discover" ? observedLead(bus, (event) => metrics.busEvent(event)) : bus,
          options.registries,
          context,
        );
  const { workers } = options;
  // With workers this process still translates, for the debug pages, files and REST.
  const publishing = role === "discover" ? undefined : composePublishing(config, context, workers === undefined);
  const pool = workers && new WorkerPool({ ...workers, config, baseDir, bus, logger, clock });
  const front: XdsFront | undefined = pool ?? publishing?.xdsServer;
  const view = role === "discover" ? undefined : new CatalogView((event) => metrics.busEvent(event));
  const catalog = (): Catalog => discovery?.aggregate.catalog() ?? view?.catalog() ?? emptyCatalog;

  const { token } = config.api;
  const api =
    discovery &&
    createApi({
      sources: apiSources({
        aggregate: discovery.aggregate,
        clock,
        parity: discovery.parity,
        refusal: () => writeRefusal(config, discovery.aggregate),
        ...(discovery.journal && { journal: discovery.journal.rows.bind(discovery.journal) }),
        journalled: (write) => logger.info("api-write", { ...write }),
      }),
      version: version(),
      now: () => clock.now(),
      ...(token !== undefined && { token: secretOf(token, baseDir) }),
    });
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
          ...(publishing && { rest: publishing.rest }),
          ...(api && { api: (request) => api.handle(request) }),
          onError: (error, path) => logger.error("debug-page-failed", { path, error }),
        });

  // The webhook judges objects for whoever reads registries; it needs nothing of the catalog.
  const admission = role === "publish" ? undefined : createAdmission(config.admission, context);
  const stages: Stage[] = [
    ...(discovery
      ? [
          async (signal: AbortSignal) => {
            // Rejects only when the signal aborts, and with it the run.
            void discovery.aggregate.synced(signal).then(
              () => (synced = true),
              () => undefined,
            );
            await discovery.aggregate.run(signal);
          },
          ...(discovery.journal ? [discovery.journal.run.bind(discovery.journal)] : []),
        ]
      : []),
    ...(publishing ? [(signal: AbortSignal) => publishing.publisher.run(bus, signal)] : []),
    ...(view ? [(signal: AbortSignal) => view.run(bus, signal)] : []),
    ...(publishing?.fileWriter ? [publishing.fileWriter.run.bind(publishing.fileWriter)] : []),
  ];
  const listening = new Deferred<Listening>();
  return {
    discovery,
    publishing,
    catalog,
    clients: () => front?.status().clients ?? [],
    run: (signal) => {
      signal.addEventListener("abort", () => (draining = true), { once: true });
      const parts = {
        stages,
        bus,
        xdsServer: front,
        debugServer,
        admission,
        drainMs: config.xds.drainMs,
        ports: config,
      };
      return runParts(parts, signal, listening);
    },
    listening: (signal) => listening.wait(signal),
    synced: async (signal) => {
      await discovery?.aggregate.synced(signal);
      if (discovery === undefined) await view?.known(signal);
      // Over a bus of its own it follows at once; another one may be away.
      else if (options.bus === undefined) await publishing?.begun.wait(signal);
    },
  };
}

const emptyCatalog: Catalog = Object.freeze({
  revision: { epoch: "", sequence: 0 },
  entries: new Map(),
  workloads: new Map(),
  objects: new Map(),
});
