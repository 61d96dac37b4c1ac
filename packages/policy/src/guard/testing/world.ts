import { byCodeUnit, registryId, serviceKey } from "@signalbox/model";
import type { Service, ServiceInstance, ServiceKey, ServiceRecord } from "@signalbox/model";
import { defaultRules } from "../../rules.ts";
import type { GuardRule } from "../../rules.ts";
import type { GuardDecision } from "../decision.ts";
import { RegistryGuard } from "../registry-guard.ts";
import type { RegistryGuardOptions } from "../options.ts";
import type { GuardRuling } from "../registry-guard.ts";
import type { GuardStep } from "../step.ts";
import type { AcceptedUpdate, GuardedUpdate, GuardEvidence, RemovalEvidence } from "../update.ts";

export const registry = registryId("fake", "one");

/** The key of the service `name`. */
export function keyOf(name: string): ServiceKey {
  return serviceKey({ namespace: "test", hostname: `${name}.test` });
}

/** Makes a service with the ports `http`, 80, and those named. */
export function service(name: string, ...ports: readonly string[]): Service {
  return {
    hostname: `${name}.test`,
    namespace: "test",
    ports: ["http", ...ports].map((port, index) => ({ name: port, number: 80 + index, protocol: "HTTP" })),
    resolution: "STATIC",
    addresses: [],
    labels: {},
    meshExternal: false,
    exportTo: [],
    serviceAccounts: [],
    provenance: { registry, object: name },
  };
}

/** Makes an endpoint; its address follows from its id. */
export function instance(id: string, more: Partial<ServiceInstance> = {}): ServiceInstance {
  return {
    id,
    servicePort: "http",
    addresses: [{ type: "hostname", hostname: `${id}.host`, port: 8080 }],
    labels: {},
    locality: { region: "", zone: "", subzone: "" },
    network: "",
    serviceAccount: "",
    tls: "disabled",
    healthStatus: "HEALTHY",
    weight: 1,
    provenance: { registry, object: id },
    ...more,
  };
}

/** Makes a record of the service `name` with endpoints of these ids. */
export function record(name: string, ids: readonly string[]): ServiceRecord {
  return { service: service(name), instances: ids.map((id) => instance(id)) };
}

/** The ids `<prefix>0` up to `<prefix><count - 1>`. */
export function ids(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `${prefix}${index}`);
}

/** A fold of what a guard hands on. */
export class Accepted {
  readonly records = new Map<ServiceKey, ServiceRecord>();

  fold(update: AcceptedUpdate): void {
    if (update.type === "snapshot") {
      this.records.clear();
      for (const each of update.records) this.records.set(serviceKey(each.service), each);
      return;
    }
    for (const key of update.records.removed) this.records.delete(key);
    for (const each of update.records.upserted) this.records.set(serviceKey(each.service), each);
  }

  /** The ids of all services, sorted. */
  content(): Record<string, readonly string[]> {
    return Object.fromEntries(
      [...this.records]
        .sort(([a], [b]) => byCodeUnit(a, b))
        .map(
          ([
            ,
            {
              service: { hostname },
              instances,
            },
          ]) => [hostname.replace(".test", ""), instances.map(({ id }) => id).sort(byCodeUnit)],
        ),
    );
  }

  ids(name: string): readonly string[] | undefined {
    return this.content()[name];
  }
}

/** A rule that trips on nothing by itself, to test the other scope alone. */
export const never = { minRemoved: 1_000_000 } as const;

/** A guard with a source that says what the test wants, and the fold of what it accepted. */
export class World {
  readonly options: RegistryGuardOptions;
  guard: RegistryGuard;
  readonly accepted = new Accepted();
  readonly decisions: GuardDecision[] = [];
  now = 1_000_000;

  constructor({
    source = {},
    of = () => ({}),
  }: {
    readonly source?: Partial<GuardRule>;
    /** The rule of a service, by its name. */
    readonly of?: (name: string) => Partial<GuardRule>;
  } = {}) {
    this.options = {
      registry,
      rule: { ...defaultRules.guard, confirmations: 5, ...source },
      ruleOf: (key) => ({ ...defaultRules.guard, confirmations: 5, ...of(key.slice("test/".length, -".test".length)) }),
    };
    this.guard = new RegistryGuard(this.options);
  }

  /** The source says that it has these services with endpoints of these ids, and no other. */
  snapshot(services: Record<string, readonly string[]>, evidence: Partial<GuardEvidence> = {}): GuardStep {
    return this.take(
      { type: "snapshot", records: Object.entries(services).map(([name, list]) => record(name, list)) },
      evidence,
    );
  }

  /** The source says that these services are so now; `undefined` for one that is gone. */
  delta(services: Record<string, readonly string[] | undefined>, evidence: Partial<GuardEvidence> = {}): GuardStep {
    const upserted: ServiceRecord[] = [];
    const removed: ServiceKey[] = [];
    for (const [name, list] of Object.entries(services)) {
      if (list === undefined) removed.push(keyOf(name));
      else upserted.push(record(name, list));
    }
    return this.take({ type: "delta", records: { upserted, removed } }, evidence);
  }

  take(update: GuardedUpdate, evidence: Partial<GuardEvidence> = {}): GuardStep {
    return this.#note(this.guard.take(update, { now: this.now, ...evidence }));
  }

  /** Time passes, and the guard is told. */
  tick(ms = 0, evidence?: RemovalEvidence): GuardStep {
    this.now += ms;
    return this.#note(this.guard.tick(this.now, evidence));
  }

  /** Decides about the one guard that is open. */
  decide(ruling: GuardRuling): GuardStep {
    const [open] = this.guard.status();
    return this.#note(this.guard.decide(open?.id ?? "none", ruling, this.now, "ann"));
  }

  /** Ids that are held of a service, sorted. */
  held(name: string): readonly string[] {
    return [...this.guard.heldOf(keyOf(name)).keys()].sort(byCodeUnit);
  }

  /** Stops and starts again from what was kept. */
  restart(): void {
    const saved = JSON.parse(JSON.stringify(this.guard.save())) as ReturnType<RegistryGuard["save"]>;
    this.guard = RegistryGuard.restore(this.options, [...this.accepted.records.values()], saved);
  }

  #note(step: GuardStep): GuardStep {
    this.accepted.fold(step.accepted);
    this.decisions.push(...step.decisions);
    return step;
  }
}

/** The reasons for which a step let go, in order. */
export function reasonsIn(step: GuardStep): readonly string[] {
  return step.decisions.flatMap((decision) => (decision.type === "released" ? [decision.reason] : []));
}

/** What kinds of decisions are in a step, in order. */
export function kindsIn(step: GuardStep): readonly string[] {
  return step.decisions.map(({ type }) => type);
}
