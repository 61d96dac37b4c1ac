import { fromBinary } from "@bufbuild/protobuf";
import { NodeSchema, type Node } from "@signalbox/envoy-api/envoy/config/core/v3/base";
import { atOnce, type Steps } from "@signalbox/slices";
import { MalformedRequestError, WireReader } from "./wire.ts";

/** The parts of a request that both variants have. */
export interface RequestHead {
  readonly typeUrl: string;
  readonly nonce: string;
  /** The encoded node; absent in most requests but the first. */
  readonly node: Uint8Array | undefined;
  /** The client's words, when it refuses the response that `nonce` names. */
  readonly error: string | undefined;
}

/** A DiscoveryRequest whose names are still raw: most requests are ACKs that repeat the names of the last one. */
export interface SotwRequest extends RequestHead {
  readonly versionInfo: string;
  /** The `resource_names` fields as they came, tags included; empty when there are none. The expected or known run itself where it came again. */
  readonly names: Uint8Array;
}

/** A DeltaDiscoveryRequest. */
export interface DeltaRequest extends RequestHead {
  /** May be a list that other requests share. */
  readonly subscribe: readonly string[];
  /** The `resource_names_subscribe` fields as they came, tags included, when they are many and stand together. */
  readonly subscribeRun: Uint8Array | undefined;
  readonly unsubscribe: readonly string[];
  readonly initialVersions: ReadonlyMap<string, string>;
}

/** Names that somebody has read already. */
export interface KnownRuns {
  /** What is known of the fields that begin at `start`. */
  runAt(bytes: Uint8Array, start: number): { readonly run: Uint8Array; readonly list: readonly string[] } | undefined;
}

/** Bounds on names. */
export interface NameLimits {
  readonly maxNames: number;
  readonly maxNameBytes: number;
}

/** The client asked for more than a limit allows. Ends the stream. */
export class LimitExceededError extends Error {
  readonly code = "SBX_XDS_LIMIT";
  override readonly name = "LimitExceededError";
}

/** The client may not have what its node asks for. Ends the stream. */
export class ClientRefusedError extends Error {
  readonly code = "SBX_XDS_DENIED";
  override readonly name = "ClientRefusedError";
}

const noBytes = new Uint8Array(0);
/** Shorter runs of names are read faster than they are found. */
const sharedRunBytes = 1_024;
/** So many fields are read between two yields. */
const fieldsInStep = 128;

function errorText(status: Uint8Array): string {
  const reader = new WireReader(status);
  let code = 0;
  let message = "";
  while (reader.next()) {
    if (reader.field === 1) code = reader.number();
    else if (reader.field === 2) message = reader.text();
  }
  return message === "" ? `code ${code}` : message;
}

/**
 * Reads a DiscoveryRequest. `expected` are the name runs that the client sent last, for each type: where one of them
 * comes again, or one of `runsKnown`, it is compared as a whole and not walked. Thrown when it is no request:
 * MalformedRequestError.
 */
export function readSotwRequest(
  bytes: Uint8Array,
  expected: readonly Uint8Array[] = [],
  runsKnown?: KnownRuns,
): SotwRequest {
  return atOnce(sotwRequest(bytes, expected, runsKnown));
}

/** The same in steps. */
export function* sotwRequest(
  bytes: Uint8Array,
  expected: readonly Uint8Array[],
  runsKnown: KnownRuns | undefined,
): Steps<SotwRequest> {
  const reader = new WireReader(bytes);
  let versionInfo = "";
  let typeUrl = "";
  let nonce = "";
  let node: Uint8Array | undefined;
  let error: string | undefined;
  const runs: { start: number; end: number; known?: Uint8Array }[] = [];
  for (let fields = 1; reader.next(); fields++) {
    if (fields % fieldsInStep === 0) yield;
    if (reader.field === 1) versionInfo = reader.text();
    else if (reader.field === 2) node = reader.content();
    else if (reader.field === 3) {
      reader.content();
      const last = runs.at(-1);
      if (last?.end === reader.tagStart) {
        last.end = reader.end;
        delete last.known;
      } else {
        const start = reader.tagStart;
        const known = expected.find((run) => startsWith(bytes, start, run)) ?? longRunAt(bytes, start, runsKnown)?.run;
        if (known !== undefined) reader.skipTo(start + known.length);
        runs.push(known === undefined ? { start, end: reader.end } : { start, end: start + known.length, known });
      }
    } else if (reader.field === 4) typeUrl = reader.text();
    else if (reader.field === 5) nonce = reader.text();
    else if (reader.field === 6) error = errorText(reader.content());
  }
  const [only] = runs;
  const names =
    only === undefined
      ? noBytes
      : runs.length === 1
        ? (only.known ?? bytes.subarray(only.start, only.end))
        : Buffer.concat(runs.map((run) => bytes.subarray(run.start, run.end)));
  return { versionInfo, typeUrl, nonce, node, error, names };
}

function longRunAt(bytes: Uint8Array, start: number, runs: KnownRuns | undefined): ReturnType<KnownRuns["runAt"]> {
  return bytes.length - start < sharedRunBytes ? undefined : runs?.runAt(bytes, start);
}

function startsWith(bytes: Uint8Array, start: number, run: Uint8Array): boolean {
  if (run.length === 0 || bytes.length - start < run.length) return false;
  return Buffer.compare(bytes.subarray(start, start + run.length), run) === 0;
}

/** The names in a run of `resource_names` fields. Empty names say nothing and are left out. */
export function readNames(run: Uint8Array, limits: NameLimits): string[] {
  return atOnce(namesOf(run, limits));
}

/** The same in steps. */
export function* namesOf(run: Uint8Array, limits: NameLimits): Steps<string[]> {
  const names: string[] = [];
  const reader = new WireReader(run);
  for (let fields = 1; reader.next(); fields++) {
    if (fields % fieldsInStep === 0) yield;
    pushName(names, reader, limits);
  }
  return names;
}

function pushName(names: string[], reader: WireReader, limits: NameLimits): void {
  if (reader.end - reader.start > limits.maxNameBytes) {
    throw new LimitExceededError(`a resource name is longer than ${limits.maxNameBytes} bytes`);
  }
  const name = reader.text();
  if (name === "") return;
  if (names.length >= limits.maxNames) {
    throw new LimitExceededError(`more than ${limits.maxNames} resource names in one subscription`);
  }
  names.push(name);
}

/**
 * Reads a DeltaDiscoveryRequest. Names that are in `known` are not read again. Thrown when it is no request:
 * MalformedRequestError; past a limit: LimitExceededError.
 */
export function readDeltaRequest(bytes: Uint8Array, limits: NameLimits, known?: KnownRuns): DeltaRequest {
  return atOnce(deltaRequest(bytes, limits, known));
}

/** The same in steps. */
export function* deltaRequest(
  bytes: Uint8Array,
  limits: NameLimits,
  known: KnownRuns | undefined,
): Steps<DeltaRequest> {
  const reader = new WireReader(bytes);
  let typeUrl = "";
  let nonce = "";
  let node: Uint8Array | undefined;
  let error: string | undefined;
  const subscribe = new SubscribedNames(limits, known);
  const unsubscribe: string[] = [];
  const initialVersions = new Map<string, string>();
  for (let fields = 1; reader.next(); fields++) {
    if (fields % fieldsInStep === 0) yield;
    if (reader.field === 1) node = reader.content();
    else if (reader.field === 2) typeUrl = reader.text();
    else if (reader.field === 3) subscribe.take(reader);
    else if (reader.field === 4) pushName(unsubscribe, reader, limits);
    else if (reader.field === 5) {
      const [name, version] = readMapEntry(reader.content());
      if (initialVersions.size >= limits.maxNames) {
        throw new LimitExceededError(`more than ${limits.maxNames} initial resource versions`);
      }
      initialVersions.set(name, version);
    } else if (reader.field === 6) nonce = reader.text();
    else if (reader.field === 7) error = errorText(reader.content());
  }
  return {
    typeUrl,
    nonce,
    node,
    error,
    subscribe: subscribe.list,
    subscribeRun: subscribe.runOf(bytes),
    unsubscribe,
    initialVersions,
  };
}

/** The subscribed names of one request while it is read. */
class SubscribedNames {
  readonly #limits: NameLimits;
  readonly #known: KnownRuns | undefined;
  /** Not another request's. */
  #own: string[] | undefined;
  list: readonly string[] = [];
  #start = -1;
  #end = -1;
  #together = true;

  constructor(limits: NameLimits, known: KnownRuns | undefined) {
    this.#limits = limits;
    this.#known = known;
  }

  /** Takes the field that `reader` is at, and what is known of those behind it. */
  take(reader: WireReader): void {
    const start = reader.tagStart;
    if (this.#start < 0) {
      this.#start = start;
      const known = longRunAt(reader.bytes, start, this.#known);
      if (known !== undefined) {
        this.list = known.list;
        this.#end = start + known.run.length;
        reader.skipTo(this.#end);
        return;
      }
    } else if (start !== this.#end) this.#together = false;
    this.#own ??= [...this.list];
    pushName(this.#own, reader, this.#limits);
    this.list = this.#own;
    this.#end = reader.end;
  }

  runOf(bytes: Uint8Array): Uint8Array | undefined {
    const long = this.#together && this.#end - this.#start >= sharedRunBytes;
    return long ? bytes.subarray(this.#start, this.#end) : undefined;
  }
}

function readMapEntry(entry: Uint8Array): [string, string] {
  const reader = new WireReader(entry);
  let key = "";
  let value = "";
  while (reader.next()) {
    if (reader.field === 1) key = reader.text();
    else if (reader.field === 2) value = reader.text();
  }
  return [key, value];
}

/** Decodes a node of at most `maxBytes`. Thrown when it is larger: LimitExceededError; when it is none: MalformedRequestError. */
export function readNode(bytes: Uint8Array, maxBytes: number): Node {
  // Before it is decoded: a node of many small parts costs far more than its bytes.
  if (bytes.length > maxBytes) {
    throw new LimitExceededError(`the node has ${bytes.length} bytes, more than ${maxBytes}`);
  }
  try {
    return fromBinary(NodeSchema, bytes);
  } catch (cause) {
    throw new MalformedRequestError(`node: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
