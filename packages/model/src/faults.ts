import { canonicalJson } from "./content-hash.ts";

/** One thing that is wrong with a record: `path` as in `instances[3].weight`. */
export interface RecordFault {
  readonly path: string;
  readonly message: string;
}

/** More faults than this say no more about a record; a hostile one must not fill the log. */
const maxFaults = 20;

/** Gathers what is wrong with one value whose type was promised but not proven. Nothing here throws on junk. */
export class FaultList {
  readonly faults: RecordFault[] = [];

  add(path: string, message: string): void {
    if (this.faults.length < maxFaults) this.faults.push({ path, message });
  }

  /** The value as a plain object to read members from, or `undefined` and a fault. */
  object(value: unknown, path: string): Readonly<Record<string, unknown>> | undefined {
    if (isPlainObject(value)) return value;
    this.add(path, "must be a plain object");
    return undefined;
  }

  /** The value as a list, or an empty list and a fault. */
  list(value: unknown, path: string): readonly unknown[] {
    // A hole is skipped by forEach but has no hash.
    if (Array.isArray(value) && !value.includes(undefined)) return value;
    this.add(path, "must be a list without holes");
    return [];
  }

  text(value: unknown, path: string): void {
    if (typeof value !== "string") this.add(path, "must be a string");
  }

  /** The value as text that is not empty, or `undefined` and a fault. */
  nonEmpty(value: unknown, path: string): string | undefined {
    if (typeof value === "string" && value !== "") return value;
    this.add(path, "must be a string that is not empty");
    return undefined;
  }

  boolean(value: unknown, path: string): void {
    if (typeof value !== "boolean") this.add(path, "must be true or false");
  }

  integer(value: unknown, path: string, min: number, max: number): void {
    if (typeof value !== "number" || !Number.isInteger(value) || value < min || value > max)
      this.add(path, `must be an integer from ${min} to ${max}, not ${show(value)}`);
  }

  oneOf(value: unknown, path: string, allowed: ReadonlySet<unknown>): void {
    if (!allowed.has(value)) this.add(path, `${show(value)} is not one of ${[...allowed].join(", ")}`);
  }

  /** A plain object whose members are strings; every key is data. */
  labels(value: unknown, path: string): void {
    const labels = this.object(value, path);
    if (labels === undefined) return;
    for (const key of Object.keys(labels)) {
      if (typeof labels[key] !== "string") this.add(`${path}.${key}`, "must be a string");
    }
  }

  texts(value: unknown, path: string): void {
    this.list(value, path).forEach((text, index) => this.nonEmpty(text, `${path}[${index}]`));
  }

  /** Milliseconds since the epoch, or absent. */
  time(value: unknown, path: string): void {
    if (value !== undefined) this.integer(value, path, -maxTime, maxTime);
  }

  port(value: unknown, path: string): void {
    this.integer(value, path, 1, 65535);
  }

  locality(value: unknown, path: string): void {
    const locality = this.object(value, path);
    if (locality === undefined) return;
    for (const part of ["region", "zone", "subzone"]) this.text(locality[part], `${path}.${part}`);
    this.unknownMembers(locality, path, localityMembers);
  }

  provenance(value: unknown, path: string): void {
    const provenance = this.object(value, path);
    if (provenance === undefined) return;
    this.nonEmpty(provenance["registry"], `${path}.registry`);
    this.nonEmpty(provenance["object"], `${path}.object`);
    if (provenance["sourceVersion"] !== undefined) this.text(provenance["sourceVersion"], `${path}.sourceVersion`);
  }

  /** Whatever it is, it has a content hash. */
  plainData(value: unknown, path: string): void {
    try {
      canonicalJson(value);
    } catch (error) {
      this.add(path, error instanceof Error ? error.message : "must be plain data");
    }
  }

  /** The members that this release does not know pass if they can be hashed. */
  unknownMembers(value: Readonly<Record<string, unknown>>, path: string, known: ReadonlySet<string>): void {
    for (const key of Object.keys(value)) {
      const member = value[key];
      if (!known.has(key) && member !== undefined) this.plainData(member, path === "" ? key : `${path}.${key}`);
    }
  }
}

const localityMembers: ReadonlySet<string> = new Set(["region", "zone", "subzone"]);

/** The widest time that a Date can hold. */
const maxTime = 8.64e15;

/** A value for a message: short, and never a structure. */
export function show(value: unknown): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value.length > 80 ? `${value.slice(0, 80)}…` : value);
    case "number":
    case "bigint":
    case "boolean":
    case "undefined":
      return String(value);
    default:
      return value === null ? "null" : `a ${typeof value}`;
  }
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
