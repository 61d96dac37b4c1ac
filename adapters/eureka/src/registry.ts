import { registryId, type RegistryId, type ServiceInstance } from "@signalbox/model";
import {
  backoff,
  pollLoop,
  type Baseline,
  type Registry,
  type RegistryDeps,
  type RegistrySink,
  type RegistryUpdate,
  type WithdrawalResult,
} from "@signalbox/registry";
import type { UnreadableEntry } from "./client/answer.ts";
import { EurekaClient } from "./client.ts";
import type { EurekaConfig } from "./config.ts";
import { formerInstances, type FormerInstances } from "./convert/baseline.ts";
import { Catalog } from "./registry/catalog.ts";
import { Ledger, type LedgerChange } from "./registry/ledger.ts";
import { Peer } from "./registry/peer.ts";
import { Peers } from "./registry/peers.ts";
import { withdrawInstance } from "./registry/withdrawal.ts";

/** The name of this kind of registry. */
export const provider = "eureka";

/** Reads one Eureka, which may be several servers that replicate to each other. */
export class EurekaRegistry implements Registry {
  readonly id: RegistryId;
  readonly #config: EurekaConfig;
  readonly #deps: RegistryDeps;

  constructor(config: EurekaConfig, deps: RegistryDeps) {
    this.id = registryId(provider, deps.name);
    this.#config = config;
    this.#deps = deps;
  }

  async run(sink: RegistrySink, signal: AbortSignal, baseline?: Baseline): Promise<void> {
    const { clock, logger, metrics, baseDir } = this.#deps;
    const clients = this.#config.urls.map((url) => {
      const onRejected = (reason: string): void => logger.warn("eureka-credentials-rejected", { peer: url, reason });
      return new EurekaClient(this.#config, url, baseDir, onRejected);
    });
    const ledger = new Ledger(this.#config.losses);
    const catalog = new Catalog({ config: this.#config, registry: this.id, logger, metrics });
    const { delta, fullSeconds, pollSeconds } = this.#config;
    const onUnreadable = this.#unreadable();
    const [first, ...rest] = clients.map((client) => {
      return new Peer({ client, clock, metrics, delta, fullSeconds, onUnreadable });
    });
    if (first === undefined) throw new TypeError("a configuration without URLs");
    const counter = (name: string): void => metrics.counter(name);
    const peers = new Peers({ peers: [first, ...rest], ledger, logger, counter, now: () => clock.now() });
    let held = 0;
    let before: readonly LedgerChange[] | undefined;
    const read = async (stop: AbortSignal): Promise<RegistryUpdate | undefined> => {
      before ??= ledger.adopt(await this.#former(baseline, stop));
      const update = catalog.apply([...before, ...(await this.#counted(() => peers.read(stop)))]);
      before = [];
      if (ledger.missing > 0) metrics.counter("eureka_reads_with_losses_held_total");
      if (ledger.missing !== held) {
        const fields = { peer: peers.active, missing: ledger.missing, of: ledger.held.size };
        if (ledger.missing > held) logger.warn("eureka-losses-held", fields);
        else logger.info("eureka-losses-settled", fields);
      }
      held = ledger.missing;
      const { version } = peers;
      // While losses are held back, it is not the server's own state that is told.
      return update === undefined || version === undefined || held > 0 ? update : { ...update, version };
    };
    try {
      await pollLoop({ sink, signal, clock, backoff: backoff(), intervalMs: pollSeconds * 1000, read });
    } finally {
      await Promise.all(clients.map((client) => client.close()));
    }
  }

  async withdraw(endpoint: ServiceInstance, signal: AbortSignal): Promise<WithdrawalResult> {
    const clients = this.#config.urls.map((url) => new EurekaClient(this.#config, url, this.#deps.baseDir, () => {}));
    try {
      return await withdrawInstance(clients, endpoint, this.#deps.clock.now(), signal);
    } finally {
      await Promise.all(clients.map((client) => client.close()));
    }
  }

  /** The instances that are in force from an earlier run, as far as they can be told from what it made of them. */
  async #former(baseline: Baseline | undefined, signal: AbortSignal): Promise<FormerInstances["instances"]> {
    if (baseline === undefined) return new Map();
    const { records } = await baseline.load(signal);
    const { instances, unplaced } = formerInstances(records, this.#config);
    if (unplaced.length > 0) {
      const fields = { count: unplaced.length, examples: unplaced.slice(0, 5) };
      this.#deps.logger.warn("eureka-baseline-unplaced", fields);
    }
    return instances;
  }

  async #counted<T>(read: () => Promise<T>): Promise<T> {
    try {
      return await read();
    } catch (error) {
      this.#deps.metrics.counter("eureka_read_errors_total");
      throw error;
    }
  }

  /** Tells each unreadable entry once for as long as it is there. */
  #unreadable(): (entry: UnreadableEntry) => void {
    const { logger, metrics } = this.#deps;
    let told = new Set<string>();
    return ({ at, reason }) => {
      metrics.counter("eureka_rejected_total", { what: "instance" });
      const text = `${at} ${reason}`;
      // Bounded: what comes from outside may be different each time.
      if (told.size > 1000) told = new Set();
      if (!told.has(text)) logger.warn("eureka-instance-unreadable", { at, reason });
      told.add(text);
    };
  }
}
