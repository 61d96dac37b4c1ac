import type { Catalog, CatalogDelta } from "@signalbox/model";
import { deltaFrom, encodeDelta, EVENT_VERSION, EventFormatError, EventVersionError } from "../codec.ts";

/** What a log consists of. A snapshot is `begin`, any number of `part`s, `end`; changes may stand between them. */
export type LogMessage =
  /** A snapshot begins, of the catalog at this sequence. */
  | { readonly type: "begin"; readonly sequence: number }
  /** Some of the snapshot's content. Changes that stand in the log before the snapshot's end are newer. */
  | { readonly type: "part"; readonly delta: CatalogDelta }
  /** The snapshot that began at this position is complete, with so many keys. */
  | { readonly type: "end"; readonly begin: number; readonly keys: number }
  /** One changed key. All messages of a sequence follow each other; with the last one the catalog is at that sequence. */
  | { readonly type: "change"; readonly sequence: number; readonly last: boolean; readonly delta: CatalogDelta };

/** Writes a message as JSON. */
export function encodeMessage(message: LogMessage): string {
  if (message.type === "begin" || message.type === "end") return JSON.stringify({ v: EVENT_VERSION, ...message });
  return JSON.stringify({ v: EVENT_VERSION, ...message, delta: encodeDelta(message.delta) });
}

/**
 * Reads a message, frozen. Undefined for a type that this release does not know: a later one may add some that can be
 * skipped. Fields that this release does not know are ignored. Throws an EventVersionError for a newer format and an
 * EventFormatError for what is no message.
 */
export function decodeMessage(text: string): LogMessage | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch (cause) {
    throw new EventFormatError("", "JSON", { cause });
  }
  if (typeof parsed !== "object" || parsed === null) throw new EventFormatError("", "an object");
  const message = parsed as Readonly<Record<string, unknown>>;
  const version = message["v"];
  if (typeof version !== "number") throw new EventFormatError("v", "a number");
  if (version > EVENT_VERSION) throw new EventVersionError(version);
  if (version !== EVENT_VERSION) throw new EventFormatError("v", "a known version");
  switch (message["type"]) {
    case "begin":
      return { type: "begin", sequence: whole(message, "sequence") };
    case "part":
      return { type: "part", delta: deltaFrom(message["delta"]) };
    case "end":
      return { type: "end", begin: whole(message, "begin"), keys: whole(message, "keys") };
    case "change":
      return {
        type: "change",
        sequence: whole(message, "sequence"),
        last: message["last"] === true,
        delta: deltaFrom(message["delta"]),
      };
    default:
      return undefined;
  }
}

/** The messages of one delta: one for each changed key, which is what a reader must hold at least. Empty for an empty delta. */
export function changeMessages(sequence: number, delta: CatalogDelta): readonly LogMessage[] {
  const single = [...singles(delta)];
  return single.map((one, index) => ({ type: "change", sequence, last: index === single.length - 1, delta: one }));
}

/** The `part` messages of a snapshot as JSON: each of at least one key, and about `characters` long unless one key is longer. */
export function* snapshotParts(content: Omit<Catalog, "revision">, characters: number): Generator<string> {
  let part = new PartText();
  for (const kind of ["entries", "workloads", "objects"] as const) {
    for (const value of content[kind].values()) {
      const text = JSON.stringify(value);
      if (part.length > 0 && part.length + text.length > characters) {
        yield part.toString();
        part = new PartText();
      }
      part.add(kind, text);
    }
  }
  if (part.length > 0) yield part.toString();
}

/** A `part` message made of values that are JSON already: each value of a large catalog is written once. */
class PartText {
  readonly #lists = { entries: [] as string[], workloads: [] as string[], objects: [] as string[] };
  length = 0;

  add(kind: "entries" | "workloads" | "objects", text: string): void {
    this.#lists[kind].push(text);
    this.length += text.length;
  }

  toString(): string {
    const sets = Object.entries(this.#lists).map(([kind, texts]) => `"${kind}":{"upserted":[${texts.join(",")}]}`);
    return `{"v":${EVENT_VERSION},"type":"part","delta":{${sets.join(",")}}}`;
  }
}

function* singles({ entries, objects, workloads }: CatalogDelta): Generator<CatalogDelta> {
  const none = { upserted: [], removed: [] };
  const nothing: CatalogDelta = { entries: none, workloads: none, objects: none };
  for (const key of entries.removed) yield { ...nothing, entries: { upserted: [], removed: [key] } };
  for (const key of workloads.removed) yield { ...nothing, workloads: { upserted: [], removed: [key] } };
  for (const key of objects.removed) yield { ...nothing, objects: { upserted: [], removed: [key] } };
  for (const entry of entries.upserted) yield { ...nothing, entries: { upserted: [entry], removed: [] } };
  for (const workload of workloads.upserted) yield { ...nothing, workloads: { upserted: [workload], removed: [] } };
  for (const object of objects.upserted) yield { ...nothing, objects: { upserted: [object], removed: [] } };
}

function whole(message: Readonly<Record<string, unknown>>, name: string): number {
  const value = message[name];
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new EventFormatError(name, "a whole number");
  return value as number;
}
