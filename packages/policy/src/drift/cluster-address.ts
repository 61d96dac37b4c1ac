import { byCodeUnit } from "@signalbox/model";
import type { Workload, WorkloadKey } from "@signalbox/model";

/** A workload that is there. */
export interface Present {
  readonly workload: Workload;
  /** Since when it is known, and since when it is in its phase. Epoch milliseconds. */
  readonly arrivedAt: number;
  readonly phaseSince: number;
}

/** A moment: in time, and in the order of what was told. */
export interface Moment {
  readonly at: number;
  readonly tick: number;
}

/** A workload that was there. */
export interface Departed extends Moment {
  readonly workload: WorkloadKey;
}

/** What one cluster has and had at one address. */
export class ClusterAddress {
  // Nearly always one workload, and nobody who left: there is one of these for each workload of a cluster.
  #present: readonly Present[] = [];
  /** By port; `undefined` for a workload that had the address for itself. */
  #departed: Map<number | undefined, Departed> | undefined;

  /** Who has the address, or shares it as the host's. */
  get present(): readonly Present[] {
    return this.#present;
  }

  /** Who left. */
  get departures(): readonly Departed[] {
    return this.#departed === undefined ? [] : [...this.#departed.values()];
  }

  get isEmpty(): boolean {
    return this.#present.length === 0 && this.departures.length === 0;
  }

  /** Adds a workload, or replaces the one with its key. */
  put(one: Present): void {
    this.#present = [...this.#without(one.workload.key), one].sort((a, b) =>
      byCodeUnit(a.workload.key, b.workload.key),
    );
    // The address is somebody's again. A port of the host says nothing about its other ports.
    if (!one.workload.hostNetwork) this.#departed = undefined;
    else for (const port of declaredPorts(one.workload)) this.#departed?.delete(port);
  }

  /** Takes a workload away and remembers it. That counts only while nobody is where it was. */
  depart(workload: Workload, moment: Moment): void {
    this.#present = this.#without(workload.key);
    for (const port of workload.hostNetwork ? declaredPorts(workload) : [undefined]) {
      this.#departed ??= new Map();
      this.#departed.set(port, { ...moment, workload: workload.key });
    }
  }

  /**
   * The workloads that an endpoint at this port may be: those on the host network share their address, and only the port tells them
   * apart. Sorted by key.
   */
  joined(port: number): readonly Present[] {
    return this.#present.filter(({ workload }) => !workload.hostNetwork || declaredPorts(workload).includes(port));
  }

  /** Who was last where nobody is now: at this port of the host, or at the whole address. */
  departedFrom(port: number): Departed | undefined {
    const own = this.#departed?.get(port);
    const whole = this.#departed?.get(undefined);
    return own !== undefined && (whole === undefined || own.tick > whole.tick) ? own : whole;
  }

  forgetDepartures(): void {
    this.#departed = undefined;
  }

  #without(key: WorkloadKey): readonly Present[] {
    return this.#present.filter(({ workload }) => workload.key !== key);
  }
}

/** All ports that a workload says it has, in their order. */
export function declaredPorts({ ports, namedPorts }: Workload): readonly number[] {
  return [...new Set([...ports, ...Object.values(namedPorts ?? {})])].sort((a, b) => a - b);
}
