import type { Steps } from "@signalbox/slices";
import type { NameRun, NameTable } from "./names.ts";
import type { PreparedRun } from "./prepared-run.ts";
import { deltaRequest, sotwRequest, type DeltaRequest, type NameLimits, type SotwRequest } from "./request.ts";

/**
 * Bytes. A larger request is read in steps, where work is done in slices: one with ten thousand names takes some 20 ms in a
 * process that has not read any yet.
 */
export const largeRequest = 64 * 1024;

/** A request of either variant. */
export type Received =
  | { readonly protocol: "sotw"; readonly request: SotwRequest }
  | { readonly protocol: "delta"; readonly request: DeltaRequest };

/** What reading a request needs from the stream and the server. */
export interface Reading {
  readonly protocol: "sotw" | "delta";
  readonly names: NameTable;
  readonly limits: NameLimits;
  /** The runs of names that the client sent last, for each type. */
  readonly expected: () => readonly Uint8Array[];
}

/** What taking a request into a subscription needs from the stream and the server. */
export interface ReceiveContext {
  readonly change: number;
  readonly now: number;
  readonly names: NameTable;
  readonly limits: NameLimits;
  /** The run of names that the request subscribes to, where it was prepared. */
  readonly prepared: PreparedRun | undefined;
}

/** Reads a request. Thrown when it is none: MalformedRequestError; past a limit: LimitExceededError. */
export function* readRequest(bytes: Uint8Array, reading: Reading): Steps<Received> {
  const { protocol, names, limits, expected } = reading;
  if (protocol === "sotw") return { protocol, request: yield* sotwRequest(bytes, expected(), names) };
  return { protocol, request: yield* deltaRequest(bytes, limits, names) };
}

/**
 * Prepares what a request subscribes to; `undefined` where nothing is to be prepared. `first` is whether it is the stream's first for its
 * type: later delta requests change the names one by one. Thrown past a limit: LimitExceededError.
 */
export function* prepareNames(received: Received, first: boolean, reading: Reading): Steps<PreparedRun | undefined> {
  const { names, limits } = reading;
  if (received.protocol === "sotw") {
    const run = received.request.names;
    return run.length > largeRequest ? yield* names.prepare(run, limits) : undefined;
  }
  const { subscribe, subscribeRun } = received.request;
  return !first || subscribeRun === undefined || subscribe.includes("*")
    ? undefined
    : yield* names.prepare(subscribeRun, limits, subscribe);
}

/** The request's run of names, which is `run` and spells `parsed`: what was prepared of it, or worked out now. */
export function acquireRun(context: ReceiveContext, run: Uint8Array, parsed?: readonly string[]): NameRun {
  const { names, limits, prepared } = context;
  return prepared === undefined ? names.acquireRun(run, limits, parsed) : names.acquirePrepared(prepared);
}
