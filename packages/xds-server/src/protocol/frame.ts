import type { TypeUrl } from "@signalbox/envoy-api";
import { each, type Steps } from "@signalbox/slices";
import type { Resource } from "../resource.ts";

/** A response ready for any stream: encoded once, never copied. */
export interface Frame {
  /** The gRPC message with its 5-byte prefix. */
  readonly bytes: Uint8Array;
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

class FrameWriter {
  readonly bytes: Buffer;
  #position = prefixBytes;

  constructor(messageSize: number) {
    if (messageSize > 0xffff_ffff) throw new RangeError("a gRPC message is at most 4 GiB");
    this.bytes = Buffer.allocUnsafe(prefixBytes + messageSize);
    this.bytes[0] = 0;
    this.bytes.writeUInt32BE(messageSize, 1);
  }

  /** Tag and length of a length-delimited field. */
  open(field: number, length: number): void {
    this.bytes[this.#position++] = field * 8 + 2;
    let rest = length;
    for (; rest >= 0x80; rest = Math.floor(rest / 128)) this.bytes[this.#position++] = (rest % 128) + 128;
    this.bytes[this.#position++] = rest;
  }

  text(field: number, value: string, length: number): void {
    this.open(field, length);
    this.#position += this.bytes.write(value, this.#position, "utf8");
  }

  optional(field: number, value: string, length: number): void {
    if (length > 0) this.text(field, value, length);
  }

  copy(field: number, value: Uint8Array): void {
    this.open(field, value.length);
    this.bytes.set(value, this.#position);
    this.#position += value.length;
  }
}

function anySize(type: number, resource: Resource): number {
  return fieldSize(type) + optionalSize(resource.bytes.length);
}

function writeAny(writer: FrameWriter, type: string, typeLength: number, resource: Resource): void {
  writer.text(1, type, typeLength);
  if (resource.bytes.length > 0) writer.copy(2, resource.bytes);
}

function finish(writer: FrameWriter, content: ResponseContent): Frame {
  return {
    bytes: writer.bytes,
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
  yield* each(content.resources, (resource) => {
    size += fieldSize(anySize(type, resource));
  });
  const writer = new FrameWriter(size);
  writer.optional(1, content.version, version);
  yield* each(content.resources, (resource) => {
    writer.open(2, anySize(type, resource));
    writeAny(writer, content.type, type, resource);
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
  readonly resource: Resource;
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
  const entries: Entry[] = [];
  yield* each(content.resources, (resource) => {
    const name = Buffer.byteLength(resource.name);
    const resourceVersion = Buffer.byteLength(resource.version);
    const any = anySize(type, resource);
    const entrySize = optionalSize(resourceVersion) + fieldSize(any) + optionalSize(name);
    entries.push({ resource, name, resourceVersion, any, size: entrySize });
  });
  const removed = content.removed.map((name) => ({ name, size: Buffer.byteLength(name) }));
  let size = optionalSize(version) + fieldSize(type) + optionalSize(nonce);
  if (identifier > 0) size += fieldSize(fieldSize(identifier));
  for (const entry of entries) size += fieldSize(entry.size);
  for (const entry of removed) size += fieldSize(entry.size);
  const writer = new FrameWriter(size);
  writer.optional(1, content.version, version);
  yield* each(entries, (entry) => {
    writer.open(2, entry.size);
    writer.optional(1, entry.resource.version, entry.resourceVersion);
    writer.open(2, entry.any);
    writeAny(writer, content.type, type, entry.resource);
    writer.optional(3, entry.resource.name, entry.name);
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
