import { createHash } from "node:crypto";
import type { ArchivedShard } from "@signalbox/aggregate";
import type { RegistryId } from "@signalbox/model";

/** The major version of the format that this release writes; it reads this one and none that is newer. */
export const SHARD_VERSION = 1;

/** Why a saved shard cannot be used: it is not what was written, or a newer release wrote it. */
export class ShardFileError extends Error {
  readonly code = "SBX_STATE_FILE";
  readonly fault: "CORRUPT" | "NEWER" | "FOREIGN";

  constructor(fault: "CORRUPT" | "NEWER" | "FOREIGN", message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "ShardFileError";
    this.fault = fault;
  }
}

const format = "signalbox-shard";
const kinds = ["records", "workloads", "objects"] as const;
type Kind = (typeof kinds)[number];

/** Pieces of text are handed out at about this length, so that other work gets its turn between them. */
const pieceLength = 256 * 1024;

/**
 * Writes a shard as lines of JSON: a head with format, version, registry, time and numbers of items; one line for each
 * item; a last line with the SHA-256 of all before it. A text that was cut has no last line.
 */
export function* encodeShard(id: RegistryId, shard: ArchivedShard): Generator<string, void, void> {
  const hash = createHash("sha256");
  const counts = Object.fromEntries(kinds.map((kind) => [kind, shard[kind].length]));
  const head = { format, v: SHARD_VERSION, registry: id, lastCompleteRead: shard.lastCompleteRead, ...counts };
  let piece = `${JSON.stringify(head)}\n`;
  for (const kind of kinds) {
    for (const item of shard[kind]) {
      piece += `${JSON.stringify(item)}\n`;
      if (piece.length < pieceLength) continue;
      hash.update(piece);
      yield piece;
      piece = "";
    }
  }
  hash.update(piece);
  yield `${piece}${JSON.stringify({ sha256: hash.digest("hex") })}\n`;
}

/**
 * Reads what `encodeShard` wrote for this registry. Gives the word back, with `undefined`, after every few hundred items.
 * Throws a ShardFileError.
 */
export function* decodeShard(id: RegistryId, bytes: Buffer): Generator<undefined, ArchivedShard, void> {
  const headEnd = bytes.indexOf(10);
  const head = parse(bytes.subarray(0, Math.max(0, headEnd)));
  if (head["format"] !== format) throw corrupt("it is no saved shard");
  const version = head["v"];
  // Before the checksum: a newer format may have another one.
  if (typeof version === "number" && version > SHARD_VERSION) {
    throw new ShardFileError("NEWER", `it has format ${version}; this release reads up to ${SHARD_VERSION}`);
  }
  if (version !== SHARD_VERSION) throw corrupt("it has no known version");
  if (bytes.at(-1) !== 10) throw corrupt("it was cut");
  const contentEnd = bytes.lastIndexOf(10, bytes.length - 2) + 1;
  const expected = parse(bytes.subarray(contentEnd))["sha256"];
  const actual = createHash("sha256").update(bytes.subarray(0, contentEnd)).digest("hex");
  if (expected !== actual) throw corrupt("its checksum is not that of its content");
  if (head["registry"] !== id) throw new ShardFileError("FOREIGN", `it belongs to ${String(head["registry"])}`);
  const { lastCompleteRead } = head;
  if (typeof lastCompleteRead !== "number") throw corrupt("it has no time");
  const items: Record<Kind, unknown[]> = { records: [], workloads: [], objects: [] };
  let at = headEnd + 1;
  for (const kind of kinds) {
    for (let left = Number(head[kind]); left > 0; left--) {
      const end = bytes.indexOf(10, at);
      if (end < 0 || end >= contentEnd) throw corrupt("it has fewer items than it says");
      items[kind].push(parse(bytes.subarray(at, end)));
      at = end + 1;
      if (items[kind].length % 256 === 0) yield;
    }
  }
  if (at !== contentEnd) throw corrupt("it has more items than it says");
  // The checksum says that these are the items that were written; the aggregate checks them one by one all the same.
  return { lastCompleteRead, ...items } as ArchivedShard;
}

function parse(line: Buffer): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(line.toString("utf8"));
  } catch (cause) {
    throw corrupt("a line is not JSON", { cause });
  }
  if (typeof value !== "object" || value === null) throw corrupt("a line is no object");
  return value as Record<string, unknown>;
}

function corrupt(message: string, options?: ErrorOptions): ShardFileError {
  return new ShardFileError("CORRUPT", message, options);
}
