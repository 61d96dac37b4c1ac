/** JSON of which nothing is known yet. */
export type Raw = Readonly<Record<string, unknown>>;

/** Says which part of an object has the wrong form. Such an object is dropped and counted; the others pass. */
export class MalformedObjectError extends Error {
  readonly code = "SBX_KUBERNETES_OBJECT";
  /** Where, for example `spec.ports[0].port`. */
  readonly field: string;

  constructor(field: string, message: string) {
    super(`${field} ${message}`);
    this.name = "MalformedObjectError";
    this.field = field;
  }
}

/** A map; absent and null are the empty one. Throws a MalformedObjectError for anything else. */
export function rawMap(value: unknown, field: string): Raw {
  if (value === undefined || value === null) return {};
  if (typeof value !== "object" || Array.isArray(value)) throw new MalformedObjectError(field, "is not a map");
  return value as Raw;
}

/** A list; absent and null are the empty one. */
export function rawList(value: unknown, field: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw new MalformedObjectError(field, "is not a list");
  return value;
}

/** A text; absent and null are the empty one. */
export function rawText(value: unknown, field: string): string {
  if (value === undefined || value === null) return "";
  if (typeof value !== "string") throw new MalformedObjectError(field, "is not a text");
  return value;
}

/** A text that must be there. */
export function rawName(value: unknown, field: string): string {
  const text = rawText(value, field);
  if (text === "") throw new MalformedObjectError(field, "is missing");
  return text;
}

/** A port number in 1..65535. */
export function rawPort(value: unknown, field: string): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 1 || value > 65_535)
    throw new MalformedObjectError(field, "is not a port number");
  return value;
}

/** True, false, or `undefined` where absent. */
export function rawFlag(value: unknown, field: string): boolean | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "boolean") throw new MalformedObjectError(field, "is neither true nor false");
  return value;
}

/** Labels or annotations. Keys such as `__proto__` are data. */
export function rawLabels(value: unknown, field: string): Readonly<Record<string, string>> {
  const map = rawMap(value, field);
  for (const key of Object.keys(map)) {
    if (typeof map[key] !== "string") throw new MalformedObjectError(`${field}.${key}`, "is not a text");
  }
  return map as Readonly<Record<string, string>>;
}

/** A time in epoch milliseconds; `undefined` where absent. */
export function rawTime(value: unknown, field: string): number | undefined {
  const text = rawText(value, field);
  if (text === "") return undefined;
  const time = Date.parse(text);
  if (Number.isNaN(time)) throw new MalformedObjectError(field, "is not a time");
  return time;
}
