import { byCodeUnit, type ServiceKey } from "@signalbox/model";
import type { Override } from "../override.ts";

/** Thrown when there is no override with an id. */
export class UnknownOverrideError extends Error {
  readonly code = "SBX_NO_OVERRIDE";
  readonly id: string;

  constructor(id: string) {
    super(`there is no override ${id}`);
    this.name = "UnknownOverrideError";
    this.id = id;
  }
}

/** What people said about endpoints, until it ends. At most one word for each endpoint: a new one takes the old one's place. */
export class OverrideBook {
  readonly #byService = new Map<ServiceKey, Map<string, Override>>();

  /** Takes an override in. */
  add(override: Override): void {
    const own = this.#byService.get(override.service) ?? new Map<string, Override>();
    this.#byService.set(override.service, own);
    own.set(override.address, override);
  }

  /** Takes one away before its time. Returns it; throws an UnknownOverrideError. */
  remove(id: string): Override {
    const override = this.all().find((one) => one.id === id);
    if (override === undefined) throw new UnknownOverrideError(id);
    this.#drop(override);
    return override;
  }

  /** Takes away those whose time is over, and returns them. `now` in epoch milliseconds. */
  expire(now: number): readonly Override[] {
    const over = this.all().filter(({ until }) => until <= now);
    for (const override of over) this.#drop(override);
    return over;
  }

  /** Those of one service. */
  of(service: ServiceKey): readonly Override[] {
    return [...(this.#byService.get(service)?.values() ?? [])];
  }

  /** All, sorted by id. */
  all(): readonly Override[] {
    return [...this.#byService.values()].flatMap((own) => [...own.values()]).sort((a, b) => byCodeUnit(a.id, b.id));
  }

  /** When the next one ends; undefined where there are none. */
  dueAt(): number | undefined {
    const ends = this.all().map(({ until }) => until);
    return ends.length === 0 ? undefined : Math.min(...ends);
  }

  #drop({ address, service }: Override): void {
    const own = this.#byService.get(service);
    own?.delete(address);
    if (own?.size === 0) this.#byService.delete(service);
  }
}
