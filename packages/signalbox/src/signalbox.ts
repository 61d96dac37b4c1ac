import { resolve } from "node:path";
import type {
  AggregateController,
  InstanceHandler,
  RegistryStatus,
  ServiceEndpoint,
  ServiceHandler,
} from "@signalbox/aggregate";
import { canonicalJson, type Catalog, type Labels, type RegistryId, type Service } from "@signalbox/model";
import {
  ConfigError,
  systemClock,
  type Clock,
  type Logger,
  type Registry,
  type RegistryModule,
} from "@signalbox/registry";
import type { ClientStatus } from "@signalbox/xds-server";
import { compose, type ComposeOptions, type Pipeline } from "./compose.ts";
import type { StatusBus } from "./config/bus.ts";
import { catalogRules } from "./config/catalog-rules.ts";
import { parseConfig } from "./config/check.ts";
import { planRegistries, type PlannedRegistry } from "./config/registries.ts";
import type { SignalboxConfig, SignalboxConfigInput } from "./config/schema.ts";
import { blindClusterFaults } from "./config/withdrawal.ts";
import type { Discovery } from "./discovery.ts";
import { registrySteps, restartFields, type RunningRegistry } from "./reload.ts";
import type { Role } from "./role.ts";
import type { Listening } from "./run-parts.ts";

/** What a program that embeds Signalbox may bring. */
export interface SignalboxOptions {
  /** Folder that relative paths of the configuration start from. Default: the working directory. */
  readonly baseDir?: string;
  /** Registries of one's own. They come before those of the configuration, and win where they disagree. A reload leaves them alone. */
  readonly registries?: readonly Registry[];
  /** Kinds of registries of one's own: the configuration may name their `provider`. They win over the built-in ones. */
  readonly modules?: readonly RegistryModule<unknown>[];
  /** Default: says nothing. */
  readonly logger?: Logger;
  /** Default: the machine's clock. */
  readonly clock?: Clock;
}

/** What a reload did. */
export interface ReloadReport {
  readonly added: readonly RegistryId[];
  readonly replaced: readonly RegistryId[];
  readonly removed: readonly RegistryId[];
  /** Fields that changed and have no effect before a restart, for example `xds.plaintext.port`. */
  readonly needRestart: readonly string[];
}

/** A whole Signalbox in one process: the registries, the catalog, the xDS server and the debug API. */
export interface Signalbox {
  /**
   * Runs everything until `signal` aborts. Then clients are drained, everything is closed, and it resolves. Rejects when a part fails for
   * good, for example because a port is taken; everything is closed then, too. It can run once only.
   */
  run(signal: AbortSignal): Promise<void>;
  /** Resolves with the addresses once every server listens. Rejects when `run` failed or `signal` aborts. */
  listening(signal: AbortSignal): Promise<Listening>;
  /** Resolves once every registry has pushed a snapshot or its sync deadline passed, and what they said is served. Needs `run`. */
  synced(signal: AbortSignal): Promise<void>;
  /** The catalog as it was published last. */
  catalog(): Catalog;
  /** The registries, most trusted first. */
  registries(): readonly RegistryStatus[];
  /** The connected xDS clients and what each accepted or refused. */
  clients(): readonly ClientStatus[];
  /** All services, sorted by key. */
  services(): readonly Service[];
  /** The service with this hostname. Without `namespace` the oldest counts where several namespaces define it. */
  serviceByHostname(hostname: string, namespace?: string): Service | undefined;
  /** The endpoints of a service port with all of `labels`; `service` is a key or a hostname, `port` a number or a name. */
  instancesByPort(service: string, port: number | string, labels?: Labels): readonly ServiceEndpoint[];
  /** The endpoints at these IP addresses: what a proxy with these addresses serves. */
  proxyInstances(ipAddresses: readonly string[]): readonly ServiceEndpoint[];
  /** Calls `handler` for each service that comes, changes or goes. The result takes the handler away. */
  appendServiceHandler(handler: ServiceHandler): () => void;
  /** Calls `handler` for each endpoint that comes, changes or goes. The result takes the handler away. */
  appendInstanceHandler(handler: InstanceHandler): () => void;
  /**
   * Takes over another configuration while everything runs: starts, replaces and stops registries. A replaced registry's services stay
   * until the new one has its first snapshot, and a removed one's until the new ones have theirs, at the longest for the sync deadline. Rejects with a ConfigError, having changed nothing, when the configuration has mistakes.
   */
  reload(config: SignalboxConfigInput): Promise<ReloadReport>;
}

/**
 * Makes a Signalbox out of a configuration, which has the shape of the configuration file. Nothing runs before `run`. Rejects with a
 * ConfigError that names every faulty field.
 */
export async function createSignalbox(
  config: SignalboxConfigInput = {},
  options: SignalboxOptions = {},
): Promise<Signalbox> {
  const plan = await planConfig(config, options.modules);
  return createFromPlan(plan, options);
}

/** A checked configuration and its registries. */
export interface Plan {
  readonly config: SignalboxConfig;
  readonly registries: readonly PlannedRegistry[];
}

async function planConfig(input: SignalboxConfigInput, modules: SignalboxOptions["modules"]): Promise<Plan> {
  const config = parseConfig(input);
  const { planned, faults } = await planRegistries(config, modules);
  if (faults.length > 0) throw new ConfigError(faults);
  return { config, registries: planned };
}

/** What every process of Signalbox does, whatever its role. */
export interface Daemon extends Pick<Signalbox, "run" | "listening" | "synced" | "catalog" | "registries"> {
  /** Like `reload`, for a plan that was already checked. */
  takeOver(plan: Plan): Promise<ReloadReport>;
}

/** A Signalbox that can also take over a plan that was already checked. */
export interface PlannedSignalbox extends Signalbox, Daemon {}

/** How a Signalbox is made whose plan was already checked. */
export interface PlanOptions extends SignalboxOptions {
  /** Default: everything. */
  readonly role?: Role;
  /** The bus between processes; it is closed at the end. Default: one inside this process. */
  readonly bus?: StatusBus;
  /** Serve xDS in so many processes. */
  readonly workers?: ComposeOptions["workers"];
}

/** Like `createSignalbox`, for a plan that was already checked, and for any role that reads registries. */
export function createFromPlan(plan: Plan, options: PlanOptions): PlannedSignalbox {
  return new PipelineSignalbox(plan, options);
}

/** A process that only publishes what comes over the bus. */
export function createPublisher(plan: Plan, options: PlanOptions & { readonly bus: StatusBus }): Daemon {
  const pipeline = compose(plan.config, {
    ...options,
    role: "publish",
    baseDir: resolve(options.baseDir ?? "."),
    registries: [],
  });
  return {
    run: (signal) => pipeline.run(signal),
    listening: (signal) => pipeline.listening(signal),
    synced: (signal) => pipeline.synced(signal),
    catalog: () => pipeline.catalog(),
    registries: () => [],
    takeOver: ({ config }) => {
      const needRestart = restartFields(plan.config, config);
      return Promise.resolve({ added: [], replaced: [], removed: [], needRestart });
    },
  };
}

/** Milliseconds between two looks at whether new registries have spoken. */
const spokenPollMs = 20;

class PipelineSignalbox implements PlannedSignalbox {
  readonly #modules: SignalboxOptions["modules"];
  readonly #running = new Map<RegistryId, RunningRegistry>();
  readonly #pipeline: Pipeline;
  readonly #discovery: Discovery;
  readonly #aggregate: AggregateController;
  readonly #clock: Clock;
  /** What the servers were started with: the measure of what needs a restart. */
  readonly #config: SignalboxConfig;
  /** The rules of services that hold now. */
  #services: SignalboxConfig["services"];
  #turn: Promise<unknown> = Promise.resolve();
  /** Aborts when running ends; undefined before it began. */
  #ended: AbortSignal | undefined;

  constructor(plan: Plan, options: PlanOptions) {
    this.#config = plan.config;
    this.#services = plan.config.services;
    this.#modules = options.modules;
    this.#clock = options.clock ?? systemClock;
    const own = options.registries ?? [];
    const { role = "all" } = options;
    const pipeline = compose(plan.config, {
      ...options,
      role,
      baseDir: resolve(options.baseDir ?? "."),
      registries: own,
    });
    if (pipeline.discovery === undefined) throw new TypeError(`the role ${role} reads no registries`);
    this.#pipeline = pipeline;
    this.#discovery = pipeline.discovery;
    this.#aggregate = pipeline.discovery.aggregate;
    for (const { planned, precedence } of registrySteps(new Map(), plan.registries).steps) {
      this.#aggregate.addRegistry(this.#discovery.createRegistry(planned), {
        precedence,
        freshness: planned.freshness,
        startPolicy: planned.startPolicy,
      });
      this.#running.set(planned.id, { fingerprint: planned.fingerprint, precedence });
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    const ended = new AbortController();
    this.#ended = ended.signal;
    try {
      await this.#pipeline.run(signal);
    } finally {
      ended.abort();
    }
  }

  listening(signal: AbortSignal): Promise<Listening> {
    return this.#pipeline.listening(signal);
  }

  synced(signal: AbortSignal): Promise<void> {
    return this.#pipeline.synced(signal);
  }

  catalog(): Catalog {
    return this.#aggregate.catalog();
  }

  registries(): readonly RegistryStatus[] {
    return this.#aggregate.status();
  }

  clients(): readonly ClientStatus[] {
    return this.#pipeline.clients();
  }

  services(): readonly Service[] {
    return this.#aggregate.services();
  }

  serviceByHostname(hostname: string, namespace?: string): Service | undefined {
    return this.#aggregate.serviceByHostname(hostname, namespace);
  }

  instancesByPort(service: string, port: number | string, labels?: Labels): readonly ServiceEndpoint[] {
    return this.#aggregate.instancesByPort(service, port, labels);
  }

  proxyInstances(ipAddresses: readonly string[]): readonly ServiceEndpoint[] {
    return this.#aggregate.proxyInstances(ipAddresses);
  }

  appendServiceHandler(handler: ServiceHandler): () => void {
    return this.#aggregate.appendServiceHandler(handler);
  }

  appendInstanceHandler(handler: InstanceHandler): () => void {
    return this.#aggregate.appendInstanceHandler(handler);
  }

  async reload(config: SignalboxConfigInput): Promise<ReloadReport> {
    return this.takeOver(await planConfig(config, this.#modules));
  }

  takeOver(plan: Plan): Promise<ReloadReport> {
    // One after another: two reloads at once must not both count from the same state.
    const next = this.#turn.then(() => this.#apply(plan));
    this.#turn = next.catch(() => undefined);
    return next;
  }

  async #apply(plan: Plan): Promise<ReloadReport> {
    // What is withdrawn changes with a restart only, so the registries must go with the rule that runs.
    const own = new Set(this.#modules?.map(({ provider }) => provider));
    const blind = plan.registries.flatMap((planned, index) =>
      blindClusterFaults(this.#config, planned, ["registries", index], !own.has(planned.module.provider)),
    );
    if (blind.length > 0) throw new ConfigError(blind);
    const { moved, removed, steps } = registrySteps(this.#running, plan.registries);
    const needRestart = restartFields(this.#config, plan.config);
    const { services } = plan.config;
    if (canonicalJson(services) !== canonicalJson(this.#services)) {
      this.#services = services;
      this.#aggregate.setServiceRules(catalogRules({ ...this.#config, services }).of);
    }
    const ended = steps.map(async ({ action, planned, precedence }) => {
      const registry = this.#discovery.createRegistry(planned);
      const { freshness } = planned;
      this.#running.set(planned.id, { fingerprint: planned.fingerprint, precedence });
      if (action === "add") this.#aggregate.addRegistry(registry, { precedence, freshness });
      else await this.#aggregate.replaceRegistry(registry, { freshness });
    });
    await Promise.all(ended);
    // What a new registry knows must be there before an old one takes its services along.
    if (removed.length > 0 && steps.length > 0) await this.#spoken(new Set(steps.map(({ planned }) => planned.id)));
    await Promise.all(
      removed.map((id) => {
        this.#running.delete(id);
        return this.#aggregate.removeRegistry(id);
      }),
    );
    const ids = (action: "add" | "replace"): RegistryId[] =>
      steps.filter((step) => step.action === action).map((step) => step.planned.id);
    return {
      added: ids("add"),
      replaced: ids("replace"),
      removed,
      needRestart: [...needRestart, ...moved.map((id) => `the place of ${id} in registries`)],
    };
  }

  /** Resolves when none of these registries waits for its first snapshot, when the sync deadline passed, or when running ended. */
  async #spoken(ids: ReadonlySet<RegistryId>): Promise<void> {
    const signal = this.#ended;
    if (signal === undefined) return;
    const deadline = this.#clock.now() + this.#config.aggregate.syncDeadlineMs;
    const waiting = (): boolean => this.#aggregate.status().some(({ id, state }) => ids.has(id) && state === "INIT");
    while (!signal.aborted && waiting() && this.#clock.now() < deadline) {
      await this.#clock.sleep(spokenPollMs, signal).catch((error: unknown) => {
        if (!signal.aborted) throw error;
      });
    }
  }
}
