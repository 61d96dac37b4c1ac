import { byCodeUnit } from "@signalbox/model";
import type { Delta, RegistryId, ServiceKey, ServiceRecord } from "@signalbox/model";
import type { GuardDecision, HeldIds, ReleaseReason, TripReason } from "./decision.ts";
import type { OpenGuard } from "./open-guard.ts";
import type { AcceptedUpdate } from "./update.ts";

/** What came of an update, of time that passed, or of a person's word. */
export interface GuardStep {
  /** To be handed on; a delta without keys where nothing changes. */
  readonly accepted: AcceptedUpdate;
  /** The services of which other endpoints are held than before, sorted. */
  readonly heldChanged: readonly ServiceKey[];
  readonly decisions: readonly GuardDecision[];
}

interface Group {
  readonly type: "held" | "released";
  readonly guard: OpenGuard;
  readonly reason: ReleaseReason | undefined;
  readonly author: string | undefined;
  readonly endpoints: Map<ServiceKey, string[]>;
}

/** Gathers what one step does. */
export class StepInProgress {
  readonly now: number;
  /** Services whose accepted record may be another now. */
  readonly touched = new Set<ServiceKey>();
  /** Services of which other endpoints are held. */
  readonly heldChanged = new Set<ServiceKey>();
  /** Guards that hold other endpoints. */
  readonly guardsChanged = new Set<OpenGuard>();
  readonly #registry: RegistryId;
  readonly #entries: (GuardDecision | Group)[] = [];

  constructor(registry: RegistryId, now: number) {
    this.#registry = registry;
    this.now = now;
  }

  tripped(guard: OpenGuard): void {
    this.#entries.push({ type: "tripped", id: guard.id, ...this.#of(guard), why: guard.why });
  }

  passed(service: ServiceKey | undefined, reason: "mode-accept" | "scaled-to-zero", why: TripReason): void {
    const scope = service === undefined ? "source" : "service";
    this.#entries.push({ type: "passed", ...this.#of({ scope, service }), reason, why });
  }

  extended(guard: OpenGuard, until: number, author: string): void {
    this.#entries.push({ type: "extended", id: guard.id, ...this.#of(guard), until, author });
  }

  /** Notes that an endpoint, or the service itself, is held from now on. */
  held(guard: OpenGuard, service: ServiceKey, id: string | undefined): void {
    this.#note("held", guard, service, id, undefined, undefined);
  }

  /** Notes that it no longer is. */
  released(
    guard: OpenGuard,
    service: ServiceKey,
    id: string | undefined,
    reason: ReleaseReason,
    author?: string,
  ): void {
    this.#note("released", guard, service, id, reason, author);
  }

  /** What was gathered. Called once, at the end. */
  finish(accepted: AcceptedUpdate): GuardStep {
    return {
      accepted,
      heldChanged: [...this.heldChanged].sort(byCodeUnit),
      decisions: this.#entries.map((entry) =>
        "endpoints" in entry && "guard" in entry ? this.#decided(entry) : entry,
      ),
    };
  }

  #note(
    type: Group["type"],
    guard: OpenGuard,
    service: ServiceKey,
    id: string | undefined,
    reason: ReleaseReason | undefined,
    author: string | undefined,
  ): void {
    this.touched.add(service);
    this.heldChanged.add(service);
    this.guardsChanged.add(guard);
    let group = this.#entries.find(
      (entry): entry is Group =>
        "guard" in entry && entry.guard === guard && entry.type === type && entry.reason === reason,
    );
    if (group === undefined) {
      group = { type, guard, reason, author, endpoints: new Map() };
      this.#entries.push(group);
    }
    const ids = group.endpoints.get(service) ?? [];
    if (id !== undefined) ids.push(id);
    group.endpoints.set(service, ids);
  }

  #decided({ type, guard, reason, author, endpoints: byService }: Group): GuardDecision {
    const endpoints: readonly HeldIds[] = [...byService]
      .sort(([a], [b]) => byCodeUnit(a, b))
      .map(([service, ids]) => ({ service, instances: ids.sort(byCodeUnit) }));
    const common = { id: guard.id, ...this.#of(guard), endpoints, remaining: guard.held };
    if (type === "held" || reason === undefined) return { type: "held", ...common };
    return { type, ...common, reason, ...(author === undefined ? {} : { author }) };
  }

  #of({ scope, service }: Pick<OpenGuard, "scope" | "service">) {
    return { registry: this.#registry, scope, ...(service === undefined ? {} : { service }), at: this.now };
  }
}

/** A delta of these services as they are now, sorted; in small steps. */
export function* deltaOf(
  keys: Iterable<ServiceKey>,
  recordOf: (key: ServiceKey) => ServiceRecord | undefined,
): Generator<undefined, Delta<ServiceKey, ServiceRecord>, undefined> {
  const upserted: ServiceRecord[] = [];
  const removed: ServiceKey[] = [];
  // Without a comparison of our own, which is by code unit as well.
  for (const key of [...keys].sort()) {
    const record = recordOf(key);
    if (record === undefined) removed.push(key);
    else upserted.push(record);
    yield;
  }
  return { upserted, removed };
}
