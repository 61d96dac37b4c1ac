import type { Steps } from "@signalbox/slices";
import type { DocumentReaderOptions } from "./document-reader-options.ts";
import { cutList, type CutList } from "./list-items.ts";
import { defaultMaxAliases, parseChunk, type ChunkResult } from "./parse-chunk.ts";
import { startOf } from "./parse-documents.ts";
import type { DocumentPath } from "./positions.ts";
import { splitDocuments, type Chunk } from "./split.ts";

type ValueResult = Extract<ChunkResult, { type: "value" }>;

/** What a stretch of text came to. Holds no text: it outlives it. */
export type StretchResult<T> =
  Exclude<ChunkResult, ValueResult> | (Omit<ValueResult, "value"> & { readonly content: T });

/** An item of a list at the top of a document. */
interface ItemPlace {
  readonly key: string;
  readonly index: number;
}

/** A stretch of a text that was read for itself: a document, the frame of a cut one, or one of its items. */
export interface Stretch<T> {
  readonly offset: number;
  readonly length: number;
  /** Undefined: a document, or the frame of one. */
  readonly item: ItemPlace | undefined;
  /** Of a frame: what was taken out of it. */
  readonly cut: Omit<CutList, "items"> | undefined;
  /** Index of the document; empty ones do not count. */
  readonly document: number;
  readonly result: StretchResult<T>;
}

interface Draft<T> {
  readonly chunk: Chunk;
  readonly item: ItemPlace | undefined;
  readonly cut: Omit<CutList, "items"> | undefined;
  result: StretchResult<T> | undefined;
}

/** What a document is read in: one draft, or its frame and its items. */
interface Plan<T> {
  readonly chunk: Chunk;
  readonly drafts: readonly Draft<T>[];
}

/** An item of a list is read behind the key of the list, so that its indentation means the same. */
export function headOf(key: string): string {
  return `${key}:\n`;
}

/** Reads all of a text, a document or an item in each step. What `memory` knows is not read again. `whole`: nothing that was cut had to be given up. */
export function* readStretches<T>(
  text: string,
  memory: Memory<T>,
  options: DocumentReaderOptions<T>,
): Steps<{ readonly stretches: readonly Stretch<T>[]; readonly whole: boolean }> {
  const plans: Plan<T>[] = [];
  for (const chunk of splitDocuments(text, startOf(text))) {
    const drafts = (yield* cutDocument(chunk, memory, options)) ?? [draft(chunk, undefined, memory, options)];
    plans.push({ chunk, drafts });
    yield;
  }
  const stretches: Stretch<T>[] = [];
  let document = 0;
  let whole = true;
  for (const { chunk, drafts } of plans) {
    let failed: StretchResult<T> | undefined;
    for (const one of drafts) {
      one.result ??= memory.anywhere(one, options) ?? parse(one, options);
      yield;
      if (one.item === undefined || one.result.type === "value") continue;
      failed = failureOf(chunk, one, options) ?? parse({ chunk, item: undefined }, options);
      break;
    }
    if (drafts.length > 1 && failed === undefined && tooManyAliases(drafts, options))
      failed = parse({ chunk, item: undefined }, options);
    whole &&= failed === undefined;
    const read = failed === undefined ? drafts : [{ chunk, item: undefined, cut: undefined, result: failed }];
    let said = false;
    for (const { chunk: at, item, cut, result = nothing } of read) {
      said ||= result.type !== "empty";
      stretches.push({ offset: at.offset, length: at.text.length, item, cut, document, result });
    }
    if (said) document++;
  }
  return { stretches, whole };
}

const nothing = { type: "empty" } as const;

/**
 * What is wrong with a document of which an item cannot be read, where those before it can; undefined where only the whole can tell. If the item
 * can be taken apart it was cut out rightly. Else the parser, which stops at what is wrong, says whether the rest behind it makes it right.
 */
function failureOf<T>(
  document: Chunk,
  { chunk, item, result }: Draft<T>,
  options: DocumentReaderOptions<T>,
): StretchResult<T> | undefined {
  if (item === undefined || result?.type !== "error" || result.kind === "aliases") return undefined;
  const before = chunk.offset - document.offset;
  const head = headOf(item.key);
  const rest = result.kind === "meaning" ? result : parseChunk(head + document.text.slice(before), options);
  if (rest.type !== "error" || rest.kind !== result.kind) return undefined;
  return { ...rest, offset: before + Math.max(0, rest.offset - head.length) };
}

/** The stretches of the version before, by their text. */
export class Memory<T> {
  readonly #text: string;
  readonly #known: readonly Stretch<T>[];
  readonly #matched: Uint8Array;
  #next = 0;
  #tries = 1;
  #byText: Map<string, Stretch<T>> | undefined;

  constructor(text: string, known: readonly Stretch<T>[]) {
    this.#text = text;
    this.#known = known.filter(({ cut }) => cut === undefined);
    this.#matched = new Uint8Array(this.#known.length);
  }

  /** The stretch with this text that comes next, or soon. For one call for each stretch of the new version, in order. */
  soon({ chunk, item }: Draft<T>, options: DocumentReaderOptions<T>): StretchResult<T> | undefined {
    const last = Math.min(this.#known.length, this.#next + this.#tries);
    for (let index = this.#next; index < last; index++) {
      const known = this.#known[index];
      if (known?.length !== chunk.text.length || known.item?.key !== item?.key) continue;
      if (this.#textOf(known) !== chunk.text) continue;
      this.#next = index + 1;
      this.#tries = 1;
      this.#matched[index] = 1;
      return resultAt(known, item, options);
    }
    // Something new, or something that replaces what came next, or more of that.
    this.#tries = Math.min(this.#tries + 1, maxTries);
    return undefined;
  }

  /** A stretch with this text, wherever it was. For what is left over: it looks through what else was left over. */
  anywhere({ chunk, item }: Draft<T>, options: DocumentReaderOptions<T>): StretchResult<T> | undefined {
    if (this.#byText === undefined) {
      this.#byText = new Map();
      for (const [index, known] of this.#known.entries())
        if (this.#matched[index] === 0) this.#byText.set(named(known.item, this.#textOf(known)), known);
    }
    const known = this.#byText.size === 0 ? undefined : this.#byText.get(named(item, chunk.text));
    return known?.item?.key === item?.key && known !== undefined ? resultAt(known, item, options) : undefined;
  }

  #textOf({ offset, length }: Stretch<T>): string {
    return this.#text.slice(offset, offset + length);
  }
}

/** How far ahead the next stretch is looked for before the slower search by text. */
const maxTries = 8;

function named(item: ItemPlace | undefined, text: string): string {
  // An item is no document, be their texts the same: no document that can be read begins with such a character.
  return item === undefined ? text : `\0${item.key}\0${text}`;
}

function resultAt<T>(
  { item: before, result }: Stretch<T>,
  item: ItemPlace | undefined,
  { moved }: DocumentReaderOptions<T>,
): StretchResult<T> {
  if (result.type !== "value" || moved === undefined || item === undefined || before?.index === item.index)
    return result;
  return { ...result, content: moved(result.content, pathOf(item)) };
}

function draft<T>(
  chunk: Chunk,
  item: ItemPlace | undefined,
  memory: Memory<T>,
  options: DocumentReaderOptions<T>,
): Draft<T> {
  const made: Draft<T> = { chunk, item, cut: undefined, result: undefined };
  made.result = memory.soon(made, options);
  return made;
}

/** The frame of a document and its items, where the document is long and can be cut. */
function* cutDocument<T>(
  chunk: Chunk,
  memory: Memory<T>,
  options: DocumentReaderOptions<T>,
): Steps<readonly Draft<T>[] | undefined> {
  const { cutFrom = defaultCutFrom, listKeys = [], mayCut = () => true } = options;
  if (listKeys.length === 0 || chunk.text.length < cutFrom) return undefined;
  const cut = yield* cutList(chunk.text, listKeys);
  if (cut === undefined || cut.items.length < 2 || cut.frame.length > longestFrame) return undefined;
  const { key, frame, items } = cut;
  const read = parseChunk(frame, options);
  // An alias might mean an anchor in an item. A key that is seen twice may be a line of a text.
  if (read.type !== "value" || read.aliases > 0 || countLines(frame, `${key}:`) !== 1) return undefined;
  const { value, ...rest } = read;
  if (!isMap(value) || value[key] !== null || !mayCut(value, key)) return undefined;
  value[key] = [];
  const { items: _, ...taken } = cut;
  const drafts: Draft<T>[] = [
    { chunk, item: undefined, cut: taken, result: { ...rest, content: options.convert(value, []) } },
  ];
  for (const [index, { offset, text }] of items.entries()) {
    drafts.push(draft({ text, offset: chunk.offset + offset }, { key, index }, memory, options));
    yield;
  }
  return drafts;
}

const defaultCutFrom = 32_768;
/** What is read anew with each version. */
const longestFrame = 32_768;

function parse<T>(
  { chunk, item }: Pick<Draft<T>, "chunk" | "item">,
  options: DocumentReaderOptions<T>,
): StretchResult<T> {
  const result = parseChunk(item === undefined ? chunk.text : headOf(item.key) + chunk.text, options);
  if (result.type !== "value") return result;
  const { value, ...rest } = result;
  if (item === undefined) return { ...rest, content: options.convert(value, []) };
  const list = isMap(value) && Object.keys(value).length === 1 ? value[item.key] : undefined;
  if (!Array.isArray(list) || list.length !== 1)
    return { type: "error", offset: 0, message: "is not one item", kind: "aliases" };
  return { ...rest, content: options.convert(list[0], pathOf(item)) };
}

/** Whether what was cut has more aliases than one document may have. */
function tooManyAliases<T>(
  drafts: readonly Draft<T>[],
  { maxAliases = defaultMaxAliases }: DocumentReaderOptions<T>,
): boolean {
  let aliases = 0;
  for (const { result } of drafts) if (result?.type === "value") aliases += result.aliases;
  return aliases > maxAliases;
}

function pathOf({ key, index }: ItemPlace): DocumentPath {
  return [key, index];
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function countLines(text: string, start: string): number {
  let count = text.startsWith(start) ? 1 : 0;
  for (let at = text.indexOf(`\n${start}`); at >= 0; at = text.indexOf(`\n${start}`, at + 1)) count++;
  return count;
}
