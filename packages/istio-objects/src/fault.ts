/** Keys and indexes from the root of an object to one of its fields, as they are written there. */
export type ObjectPath = readonly (string | number)[];

/** One thing that is wrong with an object. */
export interface ObjectFault {
  readonly path: ObjectPath;
  /** Whether the key or the value at `path` is meant. */
  readonly at: "key" | "value";
  /**
   * `error`: the object cannot be used. `rejected`: Istio refuses it when it is applied, but would serve it if it were stored.
   * `warning`: it is used, and probably not meant so.
   */
  readonly severity: "error" | "rejected" | "warning";
  readonly message: string;
}

/** Gathers the faults of one object. */
export class FaultList {
  readonly faults: ObjectFault[] = [];

  error(path: ObjectPath, message: string, at: "key" | "value" = "value"): void {
    this.faults.push({ path, at, severity: "error", message });
  }

  rejected(path: ObjectPath, message: string): void {
    this.faults.push({ path, at: "value", severity: "rejected", message });
  }

  warning(path: ObjectPath, message: string): void {
    this.faults.push({ path, at: "value", severity: "warning", message });
  }
}

/** What was read, and what is wrong with it. The value is whole: fields that could not be read hold their defaults. */
export interface Checked<T> {
  readonly value: T;
  readonly faults: readonly ObjectFault[];
}
