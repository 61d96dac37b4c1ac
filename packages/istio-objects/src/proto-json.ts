import { didYouMean } from "@signalbox/model";
import type { FaultList, ObjectPath } from "./fault.ts";

/**
 * Reads one value as protobuf's JSON form allows it. Absent and null give the default. A wrong value is a fault and gives the default too,
 * so that one pass finds every fault.
 */
export type Read<T> = (value: unknown, path: ObjectPath, faults: FaultList) => T;

/** The type that a reader gives. */
export type ValueOf<R> = R extends Read<infer T> ? T : never;

const absent = (value: unknown): value is undefined | null => value === undefined || value === null;

/** A text; empty where absent. */
export const text: Read<string> = (value, path, faults) => {
  if (absent(value)) return "";
  if (typeof value === "string") return value;
  faults.error(path, `must be a text, not ${describe(value)}${typeof value === "object" ? "" : ": quote it"}`);
  return "";
};

/** A whole number of 0 to 2^32-1, also written as a text; 0 where absent. */
export const uint32: Read<number> = (value, path, faults) => {
  if (absent(value)) return 0;
  const number = typeof value === "string" && /^[0-9]+$/.test(value) ? Number(value) : value;
  if (typeof number === "number" && Number.isInteger(number) && number >= 0 && number <= 0xffffffff) return number;
  faults.error(path, `must be a whole number of at least 0, not ${describe(value)}`);
  return 0;
};

/** One of the names, or its number in the protobuf enum; the first name where absent. */
export function enumOf<E extends string>(first: E, ...others: E[]): Read<E> {
  const names = [first, ...others];
  return (value, path, faults) => {
    if (absent(value)) return first;
    const name = typeof value === "number" ? names[value] : names.find((known) => known === value);
    if (name !== undefined) return name;
    const hint = typeof value === "string" ? didYouMean(value.toUpperCase(), names) : undefined;
    const written = typeof value === "string" ? `"${value}"` : describe(value);
    faults.error(
      path,
      `must be one of ${names.join(", ")}, not ${written}${hint === undefined ? "" : ` (did you mean ${hint}?)`}`,
    );
    return first;
  };
}

/** A list; empty where absent. Null members are faults. */
export function listOf<T>(read: Read<T>): Read<readonly T[]> {
  return (value, path, faults) => {
    if (absent(value)) return [];
    if (!Array.isArray(value)) {
      faults.error(path, `must be a list, not ${describe(value)}`);
      return [];
    }
    return value.map((member: unknown, index) => {
      if (member === null) faults.error([...path, index], "must not be null");
      return read(member, [...path, index], faults);
    });
  };
}

/** A map from texts; empty where absent. Keys such as `__proto__` are own members. */
export function mapOf<T>(read: Read<T>): Read<Readonly<Record<string, T>>> {
  return (value, path, faults) => {
    if (absent(value)) return {};
    if (!isObject(value)) {
      faults.error(path, `must be a map, not ${describe(value)}`);
      return {};
    }
    return Object.fromEntries(
      Object.entries(value).map(([key, member]) => [key, read(member, [...path, key], faults)]),
    );
  };
}

/** A value that may be absent, which is another thing than its default. */
export function optional<T>(read: Read<T>): Read<T | undefined> {
  return (value, path, faults) => (absent(value) ? undefined : read(value, path, faults));
}

/** A message with these fields. Each may be written as `lowerCamel` or `snake_case`; any other field is a fault. */
export function message<F extends Record<string, Read<unknown>>>(
  fields: F,
): Read<{ readonly [K in keyof F]: ValueOf<F[K]> }> {
  const names = new Map<string, string>();
  for (const name of Object.keys(fields)) {
    names.set(name, name);
    names.set(snakeCase(name), name);
  }
  return (value, path, faults) => {
    const written = new Map<string, { readonly key: string; readonly value: unknown }>();
    if (!absent(value) && !isObject(value)) faults.error(path, `must be a map, not ${describe(value)}`);
    for (const [key, member] of Object.entries(isObject(value) ? value : {})) {
      const name = names.get(key);
      if (name === undefined) {
        const hint = didYouMean(key, Object.keys(fields));
        faults.error(
          [...path, key],
          `unknown field "${key}"${hint === undefined ? "" : `, did you mean "${hint}"?`}`,
          "key",
        );
      } else if (written.has(name)) {
        faults.error([...path, key], `field "${name}" is given twice`, "key");
      } else {
        written.set(name, { key, value: member });
      }
    }
    const read = Object.entries(fields).map(([name, field]) => {
      const member = written.get(name);
      return [name, field(member?.value, [...path, member?.key ?? name], faults)] as const;
    });
    return Object.fromEntries(read) as { readonly [K in keyof F]: ValueOf<F[K]> };
  };
}

/** Whether a value is a JSON object. */
export function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (isObject(value)) return "a map";
  return typeof value === "string" ? `the text "${value}"` : `the ${typeof value} ${String(value)}`;
}

function snakeCase(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
