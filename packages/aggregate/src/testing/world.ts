import { createInProcessBus, foldEvent } from "@signalbox/event-bus";
import type { ChangeEvent, EventBus, InProcessBus } from "@signalbox/event-bus";
import { byCodeUnit, registryId, serviceKey, workloadKey } from "@signalbox/model";
import type {
  Catalog,
  ConfigObject,
  Labels,
  RegistryId,
  Service,
  ServiceInstance,
  ServiceKey,
  ServiceRecord,
  Workload,
} from "@signalbox/model";
import type { Baseline, Logger, Registry, RegistrySink, RegistryUpdate, ShardContent } from "@signalbox/registry";
import { FakeClock } from "@signalbox/registry/conformance";
import { createAggregate } from "../aggregate.ts";
import type { AggregateController } from "../controller.ts";
import type { AggregateOptions } from "../options.ts";
import { settled } from "./settled.ts";

const locality = { region: "", zone: "", subzone: "" };

/** Makes a service of namespace `test` with one HTTP port, 80. */
export function service(registry: RegistryId, name: string, more: Partial<Service> = {}): Service {
  return {
    hostname: `${name}.test`,
    namespace: "test",
    ports: [{ name: "http", number: 80, protocol: "HTTP" }],
    resolution: "STATIC",
    addresses: [],
    labels: {},
    meshExternal: false,
    exportTo: [],
    serviceAccounts: [],
    provenance: { registry, object: name },
    ...more,
  };
}

/** Makes an instance at `ip`, port 8080. */
export function instance(registry: RegistryId, ip: string, more: Partial<ServiceInstance> = {}): ServiceInstance {
  return {
    id: `at ${ip}`,
    servicePort: "http",
    addresses: [{ type: "ip", ip, port: 8080 }],
    labels: {},
    locality,
    network: "",
    serviceAccount: "",
    tls: "disabled",
    healthStatus: "HEALTHY",
    weight: 1,
    provenance: { registry, object: ip },
    ...more,
  };
}

/** Makes a record of `service` with instances at these addresses. */
export function record(registry: RegistryId, name: string, ...ips: readonly string[]): ServiceRecord {
  return { service: service(registry, name), instances: ips.map((ip) => instance(registry, ip)) };
}

/** The key of the service that `service` and `record` make. */
export function keyOf(name: string): ServiceKey {
  return serviceKey({ namespace: "test", hostname: `${name}.test` });
}

/** Makes a ready workload of namespace `test` at `ip`. */
export function workload(registry: RegistryId, name: string, labels: Labels, more: Partial<Workload> = {}): Workload {
  return {
    key: workloadKey("cluster", "test", name),
    addresses: ["192.0.2.9"],
    hostNetwork: false,
    ports: [],
    phase: "READY",
    labels,
    owner: "",
    serviceAccount: "",
    node: "",
    locality,
    network: "",
    provenance: { registry, object: name },
    ...more,
  };
}

/** Makes an object. */
export function configObject(registry: RegistryId, name: string, spec: unknown): ConfigObject {
  return {
    kind: "VirtualService",
    namespace: "test",
    name,
    labels: {},
    annotations: {},
    spec,
    provenance: { registry, object: name },
  };
}

/** A registry that says what the test tells it to. */
export class FakeRegistry implements Registry {
  readonly id: RegistryId;
  runs = 0;
  running = 0;
  #sink: RegistrySink | undefined;
  #load: ((signal?: AbortSignal) => Promise<ShardContent>) | undefined;
  #end: ((error?: Error) => void) | undefined;

  constructor(name: string) {
    this.id = registryId("fake", name);
  }

  async run(sink: RegistrySink, signal: AbortSignal, baseline?: Baseline): Promise<void> {
    this.#load = async (own = signal) => {
      if (baseline === undefined) throw new TypeError(`${this.id} runs without a baseline`);
      return baseline.load(own);
    };
    this.runs++;
    this.running++;
    this.#sink = sink;
    try {
      await new Promise<void>((resolve, reject) => {
        this.#end = (error) => (error === undefined ? resolve() : reject(error));
        if (signal.aborted) resolve();
        else signal.addEventListener("abort", () => resolve(), { once: true });
      });
    } finally {
      this.running--;
    }
  }

  /** What this run speaks into. */
  get sink(): RegistrySink {
    if (this.#sink === undefined) throw new TypeError(`${this.id} does not run`);
    return this.#sink;
  }

  /** What this run is told to be in force, by service and addresses. */
  async baseline(signal?: AbortSignal): Promise<readonly string[]> {
    const { records = [] } = (await this.#load?.(signal)) ?? {};
    return records.map(({ service: { hostname }, instances }) => {
      const ips = instances.map(({ addresses: [first] }) => (first.type === "ip" ? first.ip : first.type));
      return `${hostname} ${ips.join(" ")}`;
    });
  }

  /** Ends the run from within. */
  end(error?: Error): void {
    this.#end?.(error);
  }

  push(update: RegistryUpdate): void {
    this.sink.push(update);
  }

  /** Pushes a snapshot of records. */
  snapshot(...records: readonly ServiceRecord[]): void {
    this.push({ type: "snapshot", records });
  }

  /** Pushes one changed record. */
  upsert(...records: readonly ServiceRecord[]): void {
    this.push({ type: "delta", records: { upserted: records, removed: [] } });
  }

  /** Pushes the removal of services. */
  remove(...names: readonly string[]): void {
    this.push({ type: "delta", records: { upserted: [], removed: names.map(keyOf) } });
  }
}

/** One line that was logged. */
export interface LogLine {
  readonly level: "debug" | "info" | "warn" | "error";
  readonly event: string;
  readonly fields: object;
}

/** A real aggregate on a real in-process bus, a clock under control, and everything that a consumer received. */
export class World {
  readonly clock = new FakeClock();
  readonly bus: InProcessBus;
  readonly aggregate: AggregateController;
  readonly events: ChangeEvent[] = [];
  readonly log: LogLine[] = [];
  readonly #end = new AbortController();
  readonly #consumerEnd = new AbortController();
  #consumed: Catalog | undefined;
  #consumer: Promise<void> = Promise.resolve();
  #run: Promise<void> = Promise.resolve();

  constructor(options: Partial<AggregateOptions> = {}, bus: InProcessBus = createInProcessBus()) {
    this.bus = bus;
    this.aggregate = createAggregate({ bus, clock: this.clock, logger: this.#logger(), ...options });
  }

  /** Starts the aggregate and a consumer, and lets them come to rest. */
  async start(): Promise<this> {
    this.#consumer = this.#consume(this.bus);
    this.#run = this.aggregate.run(this.#end.signal);
    this.#run.catch(() => {});
    await settled();
    return this;
  }

  /** What the consumer has folded. */
  get consumed(): Catalog {
    if (this.#consumed === undefined) throw new TypeError("the consumer has received nothing");
    return this.#consumed;
  }

  /** The run of the aggregate. */
  get run(): Promise<void> {
    return this.#run;
  }

  /** Lets pass what a storm may take at most. */
  async calm(): Promise<void> {
    await this.clock.advance(2000);
  }

  /** Ends all, and waits for it. */
  async stop(): Promise<void> {
    this.#end.abort();
    await this.#run.catch(() => {});
    this.#consumerEnd.abort();
    await this.#consumer;
  }

  async #consume(bus: EventBus): Promise<void> {
    for await (const event of bus.subscribe("test", this.#consumerEnd.signal)) {
      this.events.push(event);
      this.#consumed = foldEvent(this.#consumed, event);
    }
  }

  #logger(): Logger {
    const line =
      (level: LogLine["level"]) =>
      (event: string, fields: object = {}) => {
        this.log.push({ level, event, fields });
      };
    return { debug: line("debug"), info: line("info"), warn: line("warn"), error: line("error") };
  }
}

/** A catalog without its revision, in a form that can be compared. */
export function comparable(catalog: Omit<Catalog, "revision">): unknown {
  const sorted = (map: ReadonlyMap<string, unknown>) => [...map].sort(([a], [b]) => byCodeUnit(a, b));
  return { entries: sorted(catalog.entries), workloads: sorted(catalog.workloads), objects: sorted(catalog.objects) };
}

/** The primary addresses of a service in a catalog, in order. */
export function ipsOf(catalog: Catalog, name: string): readonly string[] | undefined {
  return catalog.entries
    .get(keyOf(name))
    ?.instances.map(({ addresses: [first] }) => (first.type === "ip" ? first.ip : first.type));
}
