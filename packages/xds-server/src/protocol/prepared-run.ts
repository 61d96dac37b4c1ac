import { createHash, hash } from "node:crypto";
import { each, type Steps } from "@signalbox/slices";

/** Names with what they are found by among others. */
export interface KeyedNames {
  readonly names: ReadonlySet<string>;
  /** Equal for equal sets; other sets may have the same. */
  readonly key: string;
}

/** All that is to be worked out of a run of names before it can be shared. It is held by nobody and holds nothing. */
export interface PreparedRun extends KeyedRun {
  readonly list: readonly string[];
  readonly names: KeyedNames;
}

/** A run with what it is found by among others. */
interface KeyedRun {
  readonly run: Uint8Array;
  readonly runKey: string;
}

/** FNV-1a over code units: cheap, and a hit is verified, so that nobody can make two sets look like one. */
function hashOf(name: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < name.length; at++) value = Math.imul(value ^ name.charCodeAt(at), 0x01000193);
  return value >>> 0;
}

/** The set of the names in a list, with its key. */
export function* keyedNames(list: Iterable<string>): Steps<KeyedNames> {
  const names = new Set<string>();
  let sum = 0;
  let mix = 0;
  yield* each(list, (name) => {
    const { size } = names;
    if (names.add(name).size === size) return;
    const value = hashOf(name);
    sum = (sum + value) >>> 0;
    mix = (mix ^ Math.imul(value, 0x9e3779b1)) >>> 0;
  });
  return { names, key: `${names.size}:${sum}:${mix}` };
}

/** Bytes that are hashed between two yields. */
const hashedInStep = 256 * 1024;

/** What a run is found by: nobody can make two runs that have the same. */
export function* keyOfRun(run: Uint8Array): Steps<string> {
  if (run.length <= hashedInStep) return hash("sha256", run, "base64url");
  const sum = createHash("sha256");
  for (let at = 0; at < run.length; at += hashedInStep) {
    sum.update(run.subarray(at, at + hashedInStep));
    yield;
  }
  return sum.digest("base64url");
}

/** Prepares a run with this key that spells these names. The bytes are copied. */
export function* prepareRun(run: Uint8Array, runKey: string, list: readonly string[]): Steps<PreparedRun> {
  const names = yield* keyedNames(list);
  return { run: Uint8Array.from(run), runKey, list, names };
}
