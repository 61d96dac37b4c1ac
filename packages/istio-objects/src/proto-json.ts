import { didYouMean } from "@signalbox/model";
import type { FaultList, ObjectPath } from "./fault.ts";

/**
 * Reads one value as protobuf's JSON form allows it. Absent and null give the default. A wrong value is a fault and gives the default too,
 * so that one pass finds every fault.
 */
export interface Read<T> {
  (value: unknown, path: ObjectPath, faults: FaultList): T;
  /** What it takes, in the form that it writes itself: `lowerCamel`, numbers as numbers, enums by name. */
  readonly schema: ReadSchema;
}

/** What a reader takes, as a structural schema of OpenAPI 3 (`apiextensions.k8s.io/v1`). */
export interface ReadSchema {
  readonly type?: "array" | "boolean" | "integer" | "number" | "object" | "string";
  readonly enum?: readonly string[];
  readonly format?: "double" | "int32" | "int64";
  readonly minimum?: number;
  readonly maximum?: number;
  readonly pattern?: string;
  readonly items?: ReadSchema;
  readonly properties?: Readonly<Record<string, ReadSchema>>;
  readonly additionalProperties?: ReadSchema;
  readonly anyOf?: readonly ReadSchema[];
  readonly not?: ReadSchema;
  readonly required?: readonly string[];
  readonly "x-kubernetes-preserve-unknown-fields"?: true;
}

/** The type that a reader gives. */
export type ValueOf<R> = R extends Read<infer T> ? T : never;

/** A reader that says what it takes. */
function described<T>(schema: ReadSchema, read: (...args: Parameters<Read<T>>) => T): Read<T> {
  return Object.assign(read, { schema });
}

const absent = (value: unknown): value is undefined | null => value === undefined || value === null;

/** A text; empty where absent. */
export const text: Read<string> = described({ type: "string" }, (value, path, faults) => {
  if (absent(value)) return "";
  if (typeof value === "string") return value;
  faults.error(path, `must be a text, not ${describe(value)}${typeof value === "object" ? "" : ": quote it"}`);
  return "";
});

/** A whole number of 0 to 2^32-1, also written as a text; 0 where absent. */
export const uint32: Read<number> = described(
  { type: "integer", minimum: 0, maximum: 0xffffffff },
  (value, path, faults) => {
    if (absent(value)) return 0;
    const number = typeof value === "string" && /^[0-9]+$/.test(value) ? Number(value) : value;
    if (typeof number === "number" && Number.isInteger(number) && number >= 0 && number <= 0xffffffff) return number;
    faults.error(path, `must be a whole number of at least 0, not ${describe(value)}`);
    return 0;
  },
);

/** A whole number of 32 bits with sign, also written as a text; 0 where absent. */
export const int32: Read<number> = described({ type: "integer", format: "int32" }, (value, path, faults) => {
  if (absent(value)) return 0;
  const number = numberOf(value);
  if (number !== undefined && Number.isInteger(number) && number >= -0x80000000 && number <= 0x7fffffff) return number;
  faults.error(path, `must be a whole number, not ${describe(value)}`);
  return 0;
});

/** A whole number of at least 0, also written as a text; 0 where absent. What a number cannot hold exactly is a fault. */
export const uint64: Read<number> = described(
  { type: "integer", format: "int64", minimum: 0 },
  (value, path, faults) => {
    if (absent(value)) return 0;
    const number = numberOf(value);
    if (number !== undefined && Number.isSafeInteger(number) && number >= 0) return number;
    faults.error(path, `must be a whole number of at least 0, not ${describe(value)}`);
    return 0;
  },
);

/** A number, also written as a text; 0 where absent. */
export const double: Read<number> = described({ type: "number", format: "double" }, (value, path, faults) => {
  if (absent(value)) return 0;
  const number = numberOf(value);
  if (number !== undefined) return number;
  faults.error(path, `must be a number, not ${describe(value)}`);
  return 0;
});

/** `true` or `false`; false where absent. */
export const bool: Read<boolean> = described({ type: "boolean" }, (value, path, faults) => {
  if (absent(value)) return false;
  if (typeof value === "boolean") return value;
  faults.error(path, `must be true or false, not ${describe(value)}`);
  return false;
});

/** What 63 bits of nanoseconds hold, in milliseconds: about 292 years. */
const longestDuration = 2 ** 63 / 1e6;
const wholeDuration = /^[-+]?(?:0|(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ms|us|µs|ns|h|m|s))+)$/;
const durationUnits = { h: 3_600_000, m: 60_000, s: 1000, ms: 1, us: 0.001, µs: 0.001, ns: 0.000001 } as const;

/** A duration in milliseconds, written as Go writes it (`1h30m`, `1.5s`, `100ms`), which is what Istio's own reader takes; 0 where absent. */
export const duration: Read<number> = described(
  { type: "string", pattern: wholeDuration.source },
  (value, path, faults) => {
    if (absent(value)) return 0;
    const milliseconds = typeof value === "string" ? parseDuration(value) : undefined;
    if (milliseconds !== undefined) return milliseconds;
    faults.error(path, `must be a duration such as 10s or 250ms, not ${describe(value)}`);
    return 0;
  },
);

function parseDuration(text: string): number | undefined {
  if (!wholeDuration.test(text)) return undefined;
  let milliseconds = 0;
  for (const [, count, unit] of text.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ms|us|µs|ns|h|m|s)/g)) {
    milliseconds += Number(count) * durationUnits[unit as keyof typeof durationUnits];
  }
  if (milliseconds > longestDuration) return undefined;
  return text.startsWith("-") ? -milliseconds : milliseconds;
}

/** Groups of four characters, the last one padded, with line ends between any two of them but the paddings. */
const base64Form =
  /^[\r\n]*(?:(?:[A-Za-z0-9+/][\r\n]*){4})*(?:(?:[A-Za-z0-9+/][\r\n]*){2}(?:[A-Za-z0-9+/][\r\n]*=|==)[\r\n]*)?$/;

/** Bytes in base64 with its padding; the text is kept as it is, empty where absent. */
export const base64: Read<string> = described({ type: "string", pattern: base64Form.source }, (value, path, faults) => {
  const written = text(value, path, faults);
  if (base64Form.test(written)) return written;
  faults.error(path, "must be base64, padded with =");
  return "";
});

/** Any JSON value, as `google.protobuf.Struct` and `Value` hold it. */
export const json: Read<unknown> = described({ "x-kubernetes-preserve-unknown-fields": true }, (value) => value);

function numberOf(value: unknown): number | undefined {
  if (typeof value === "number") return value;
  if (typeof value !== "string" || !/^[-+]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][-+]?\d+)?$/.test(value)) return undefined;
  return Number(value);
}

/** One of the names, or its number in the protobuf enum; the first name where absent. */
export function enumOf<E extends string>(first: E, ...others: E[]): Read<E> {
  const names = [first, ...others];
  return described({ type: "string", enum: names }, (value, path, faults) => {
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
  });
}

/** A list; empty where absent. Null members are faults. */
export function listOf<T>(read: Read<T>): Read<readonly T[]> {
  return described({ type: "array", items: read.schema }, (value, path, faults) => {
    if (absent(value)) return [];
    if (!Array.isArray(value)) {
      faults.error(path, `must be a list, not ${describe(value)}`);
      return [];
    }
    const list: T[] = [];
    // Not map(): a hole is a member too.
    for (let index = 0; index < value.length; index++) {
      const member: unknown = value[index];
      const at = [...path, index];
      if (absent(member)) faults.error(at, "must not be null");
      list.push(read(member, at, faults));
    }
    return list;
  });
}

/** A map from texts; empty where absent. Keys such as `__proto__` are own members. */
export function mapOf<T>(read: Read<T>): Read<Readonly<Record<string, T>>> {
  return described({ type: "object", additionalProperties: read.schema }, (value, path, faults) => {
    if (absent(value)) return {};
    if (!isObject(value)) {
      faults.error(path, `must be a map, not ${describe(value)}`);
      return {};
    }
    const map: Record<string, T> = {};
    for (const key of Object.keys(value)) put(map, key, read(value[key], [...path, key], faults));
    return map;
  });
}

/** A value that may be absent, which is another thing than its default. */
export function optional<T>(read: Read<T>): Read<T | undefined> {
  return described(read.schema, (value, path, faults) => (absent(value) ? undefined : read(value, path, faults)));
}

/**
 * A message with these fields. Each may be written as `lowerCamel` or `snake_case`; any other field is a fault, and so are two fields
 * of one group in `oneOf`.
 */
export function message<F extends Record<string, Read<unknown>>>(
  fields: F,
  ...oneOf: readonly (readonly (keyof F & string)[])[]
): Read<{ readonly [K in keyof F]: ValueOf<F[K]> }> {
  const known = Object.entries(fields);
  const names = new Map<string, string>();
  for (const [name] of known) {
    names.set(name, name);
    names.set(snakeCase(name), name);
  }
  return described(messageSchema(fields, oneOf), (value, path, faults) => {
    const written = new Map<string, { readonly key: string; readonly value: unknown }>();
    if (!absent(value) && !isObject(value)) faults.error(path, `must be a map, not ${describe(value)}`);
    for (const key of isObject(value) ? Object.keys(value) : []) {
      const member = (value as Readonly<Record<string, unknown>>)[key];
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
    for (const group of oneOf) {
      const [first, second] = group.filter((name) => !absent(written.get(name)?.value));
      if (first !== undefined && second !== undefined)
        faults.error([...path, written.get(second)?.key ?? second], `cannot stand beside "${first}"`, "key");
    }
    const read: Record<string, unknown> = {};
    for (const [name, field] of known) {
      const member = written.get(name);
      read[name] = field(member?.value, [...path, member?.key ?? name], faults);
    }
    return read as { readonly [K in keyof F]: ValueOf<F[K]> };
  });
}

/** A member of a map; keys such as `__proto__` are data. */
function put<T>(map: Record<string, T>, key: string, value: T): void {
  if (key !== "__proto__") map[key] = value;
  else Object.defineProperty(map, key, { value, configurable: true, enumerable: true, writable: true });
}

function messageSchema(
  fields: Readonly<Record<string, Read<unknown>>>,
  oneOf: readonly (readonly string[])[],
): ReadSchema {
  const properties = Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.schema]));
  const pairs = oneOf.flatMap((group) =>
    group.flatMap((first, index) => group.slice(index + 1).map((second) => ({ required: [first, second] }))),
  );
  return { type: "object", properties, ...(pairs.length === 0 ? {} : { not: { anyOf: pairs } }) };
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

/** The name of a field in its `.proto` file. A digit before small letters begins a word too: `consecutive_5xx_errors`, but `http2_error`. */
function snakeCase(name: string): string {
  return name.replace(/[A-Z]|(?<=[a-z])\d(?=[a-z])/g, (letter) => `_${letter.toLowerCase()}`);
}
