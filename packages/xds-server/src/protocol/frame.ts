import type { TypeUrl } from "@signalbox/envoy-api";
import { each, type Steps } from "@signalbox/slices";
import type { Resource } from "../resource.ts";

/** A response ready for any stream: encoded once, never copied. */
export interface Frame {
  /** The gRPC message with its 5-byte prefix, in chunks. */
  readonly chunks: readonly Uint8Array[];
  /** Bytes in all. */
  readonly length: number;
  readonly nonce: string;
  readonly version: string;
  readonly resources: number;
  readonly removed: number;
  /** Names of the resources, and of those that are gone. */
  readonly names: readonly string[];
}

/** What goes into a response. */
export interface ResponseContent {
  readonly type: TypeUrl;
  readonly version: string;
  readonly nonce: string;
  /** Sorted by name, each name once. */
  readonly resources: readonly Resource[];
  /** Delta only: names of resources that are gone, sorted. */
  readonly removed: readonly string[];
  /** `control_plane.identifier`; empty leaves it out. */
  readonly controlPlane: string;
}

const prefixBytes = 5;

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 128)) size++;
  return size;
}

/** Size of a length-delimited field with a one-byte tag. */
function fieldSize(length: number): number {
  return 1 + varintSize(length) + length;
}

/** proto3 leaves empty strings out. */
function optionalSize(length: number): number {
  return length === 0 ? 0 : fieldSize(length);
}

/** Larger frames are of several blocks: to get many megabytes from the system at once takes milliseconds. */
const blockBytes = 1024 * 1024;
/** In larger frames, chunks of resources from this size on become chunks of the frame. To write one chunk to a thousand clients is less than to write two. */
const ownChunkBytes = 32 * 1024;
/** A tag and a length. */
const maxOpeningBytes = 11;

/** Writes a gRPC message of a known size into chunks. */
class FrameWriter {
  readonly length: number;
  readonly #shares: boolean;
  readonly #chunks: Uint8Array[] = [];
  /** Bytes to be copied that have no place in the present block. */
  #left: number;
  #block: Buffer;
  /** Where what is not in a chunk yet begins in the block. */
  #from = 0;
  #position = prefixBytes;

  /** `shared`: so many bytes of the message are large chunks. */
  constructor(messageSize: number, shared: number) {
    if (messageSize > 0xffff_ffff) throw new RangeError("a gRPC message is at most 4 GiB");
    this.length = prefixBytes + messageSize;
    this.#shares = this.length > blockBytes;
    const copied = this.#shares ? this.length - shared : this.length;
    this.#block = Buffer.allocUnsafe(Math.min(blockBytes, copied));
    this.#left = copied - this.#block.length;
    this.#block[0] = 0;
    this.#block.writeUInt32BE(messageSize, 1);
  }

  /** Tag and length of a length-delimited field. */
  open(field: number, length: number): void {
    this.#makeRoom(maxOpeningBytes);
    this.#block[this.#position++] = field * 8 + 2;
    let rest = length;
    for (; rest >= 0x80; rest = Math.floor(rest / 128)) this.#block[this.#position++] = (rest % 128) + 128;
    this.#block[this.#position++] = rest;
  }

  text(field: number, value: string, length: number): void {
    this.open(field, length);
    this.#makeRoom(length);
    this.#position += this.#block.write(value, this.#position, "utf8");
  }

  optional(field: number, value: string, length: number): void {
    if (length > 0) this.text(field, value, length);
  }

  /** What follows the opening of a field. Large chunks are not copied. */
  put(content: readonly Uint8Array[]): void {
    for (const chunk of content) {
      if (this.#shares && isLarge(chunk)) {
        this.#close();
        this.#chunks.push(chunk);
      } else {
        this.#makeRoom(chunk.length);
        this.#block.set(chunk, this.#position);
        this.#position += chunk.length;
      }
    }
  }

  finish(): readonly Uint8Array[] {
    this.#close();
    return this.#chunks;
  }

  /** What is written becomes a chunk. */
  #close(): void {
    if (this.#position > this.#from) this.#chunks.push(this.#block.subarray(this.#from, this.#position));
    this.#from = this.#position;
  }

  /** Begins another block where this one has less room, and more is to come than fits in it. */
  #makeRoom(bytes: number): void {
    const room = this.#block.length - this.#position;
    if (room >= bytes || this.#left === 0) return;
    this.#close();
    const left = this.#left + room;
    this.#block = Buffer.allocUnsafe(Math.min(Math.max(blockBytes, bytes), left));
    this.#left = left - this.#block.length;
    this.#from = 0;
    this.#position = 0;
  }
}

function isLarge(chunk: Uint8Array): boolean {
  return chunk.length >= ownChunkBytes;
}

/** A resource with its message as it goes into a frame. */
interface Content {
  readonly resource: Resource;
  readonly chunks: readonly Uint8Array[];
  readonly length: number;
}

/** Resources whose messages are got between two yields. */
const gotInStep = 32;

/** The messages of resources, put together in steps where they are not whole, and how many bytes of all are large chunks. */
function* contentsOf(
  resources: readonly Resource[],
): Steps<{ readonly contents: readonly Content[]; readonly shared: number }> {
  const contents: Content[] = [];
  let shared = 0;
  for (const resource of resources) {
    const chunks = resource.chunks === undefined ? [resource.bytes] : yield* resource.chunks();
    let length = 0;
    for (const chunk of chunks) {
      length += chunk.length;
      if (isLarge(chunk)) shared += chunk.length;
    }
    contents.push({ resource, chunks, length });
    if (contents.length % gotInStep === 0) yield;
  }
  return { contents, shared };
}

function anySize(type: number, { length }: Content): number {
  return fieldSize(type) + optionalSize(length);
}

function writeAny(writer: FrameWriter, type: string, typeLength: number, { chunks, length }: Content): void {
  writer.text(1, type, typeLength);
  if (length === 0) return;
  writer.open(2, length);
  writer.put(chunks);
}

function finish(writer: FrameWriter, content: ResponseContent): Frame {
  return {
    chunks: writer.finish(),
    length: writer.length,
    nonce: content.nonce,
    version: content.version,
    resources: content.resources.length,
    removed: content.removed.length,
    names: [...content.resources.map(({ name }) => name), ...content.removed],
  };
}

/** Encodes a DiscoveryResponse from stored resource bytes: the same bytes as protobuf-es gives. */
export function* sotwFrame(content: ResponseContent): Steps<Frame> {
  const type = Buffer.byteLength(content.type);
  const version = Buffer.byteLength(content.version);
  const nonce = Buffer.byteLength(content.nonce);
  const identifier = Buffer.byteLength(content.controlPlane);
  let size = optionalSize(version) + fieldSize(type) + optionalSize(nonce);
  if (identifier > 0) size += fieldSize(fieldSize(identifier));
  const { contents, shared } = yield* contentsOf(content.resources);
  yield* each(contents, (one) => {
    size += fieldSize(anySize(type, one));
  });
  const writer = new FrameWriter(size, shared);
  writer.optional(1, content.version, version);
  yield* each(contents, (one) => {
    writer.open(2, anySize(type, one));
    writeAny(writer, content.type, type, one);
  });
  writer.text(4, content.type, type);
  writer.optional(5, content.nonce, nonce);
  if (identifier > 0) {
    writer.open(6, fieldSize(identifier));
    writer.text(1, content.controlPlane, identifier);
  }
  return finish(writer, content);
}

/** A resource of a delta response, and the bytes of its parts. */
interface Entry {
  readonly content: Content;
  readonly name: number;
  readonly resourceVersion: number;
  readonly any: number;
  readonly size: number;
}

/** Encodes a DeltaDiscoveryResponse from stored resource bytes: the same bytes as protobuf-es gives. */
export function* deltaFrame(content: ResponseContent): Steps<Frame> {
  const type = Buffer.byteLength(content.type);
  const version = Buffer.byteLength(content.version);
  const nonce = Buffer.byteLength(content.nonce);
  const identifier = Buffer.byteLength(content.controlPlane);
  const { contents, shared } = yield* contentsOf(content.resources);
  const entries: Entry[] = [];
  yield* each(contents, (one) => {
    const name = Buffer.byteLength(one.resource.name);
    const resourceVersion = Buffer.byteLength(one.resource.version);
    const any = anySize(type, one);
    const entrySize = optionalSize(resourceVersion) + fieldSize(any) + optionalSize(name);
    entries.push({ content: one, name, resourceVersion, any, size: entrySize });
  });
  const removed = content.removed.map((name) => ({ name, size: Buffer.byteLength(name) }));
  let size = optionalSize(version) + fieldSize(type) + optionalSize(nonce);
  if (identifier > 0) size += fieldSize(fieldSize(identifier));
  for (const entry of entries) size += fieldSize(entry.size);
  for (const entry of removed) size += fieldSize(entry.size);
  const writer = new FrameWriter(size, shared);
  writer.optional(1, content.version, version);
  yield* each(entries, (entry) => {
    writer.open(2, entry.size);
    writer.optional(1, entry.content.resource.version, entry.resourceVersion);
    writer.open(2, entry.any);
    writeAny(writer, content.type, type, entry.content);
    writer.optional(3, entry.content.resource.name, entry.name);
  });
  writer.text(4, content.type, type);
  writer.optional(5, content.nonce, nonce);
  for (const entry of removed) writer.text(6, entry.name, entry.size);
  if (identifier > 0) {
    writer.open(7, fieldSize(identifier));
    writer.text(1, content.controlPlane, identifier);
  }
  return finish(writer, content);
}
