import { byCodeUnit } from "@signalbox/model";
import type { Service, ServiceInstance, ServiceRecord } from "@signalbox/model";
import type { GuardScope, Hold } from "./decision.ts";

/** Which guard holds something, and since when. */
export interface Holder {
  readonly guard: string;
  readonly scope: GuardScope;
  readonly since: number;
}

/** What is held of one service. */
export class HeldService {
  /** As its source said it last; for a service that its source no longer has. */
  service: Service;
  readonly holds = new Map<string, Hold>();
  /** Who holds the service itself, which its source no longer has and which has no endpoints. */
  whole: Holder | undefined;
  #made: { readonly said: ServiceRecord | undefined; readonly record: ServiceRecord } | undefined;

  constructor(service: Service) {
    this.service = service;
  }

  get isEmpty(): boolean {
    return this.holds.size === 0 && this.whole === undefined;
  }

  /** Holds an endpoint. */
  hold(instance: ServiceInstance, holder: Holder): void {
    this.holds.set(instance.id, { ...holder, instance });
    this.#made = undefined;
  }

  /** Lets go of an endpoint. */
  letGo(id: string): void {
    this.holds.delete(id);
    this.#made = undefined;
  }

  /** What its source says, and after that what is held, by id. */
  recordWith(said: ServiceRecord | undefined): ServiceRecord {
    if (this.#made === undefined || this.#made.said !== said) {
      const held = [...this.holds.values()].map(({ instance }) => instance).sort((a, b) => byCodeUnit(a.id, b.id));
      const record = Object.freeze({
        service: said?.service ?? this.service,
        instances: Object.freeze([...(said?.instances ?? []), ...held]),
      });
      this.#made = { said, record };
    }
    return this.#made.record;
  }
}
