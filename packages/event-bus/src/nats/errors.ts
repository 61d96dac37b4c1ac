import { JetStreamApiError } from "@nats-io/jetstream";

/** The error codes of JetStream that mean something to the bus. */
const codes = {
  messageNotFound: 10037,
  streamExists: 10058,
  streamNotFound: 10059,
  wrongLastSequence: 10071,
  streamSealed: 10109,
  /** The same as 10071, where the server does not tell the sequence. */
  wrongLastSequenceUnknown: 10164,
} as const;

/** Whether the server says that a stream, or the asked message, does not exist. */
export function isNotFound(error: unknown): boolean {
  return hasCode(error, codes.streamNotFound, codes.messageNotFound);
}

/** Whether a stream of this name exists with another configuration. */
export function isOtherStream(error: unknown): boolean {
  return hasCode(error, codes.streamExists);
}

/** Whether something was written in between. */
export function isConflict(error: unknown): boolean {
  return hasCode(error, codes.wrongLastSequence, codes.wrongLastSequenceUnknown);
}

/** Whether a log does not take what its writer wants to append, and never will. */
export function isFencing(error: unknown): boolean {
  return isConflict(error) || hasCode(error, codes.streamSealed, codes.streamNotFound);
}

/** Whether the server refused: what was asked did not happen, and asking again does not help soon. */
export function isRefusal(error: unknown): boolean {
  // 503 is its word for "not now".
  return error instanceof JetStreamApiError && error.status !== 503;
}

/** Whether nobody at the server listens to what was asked: a stream's subject without its stream, or a server that is not ready. */
export function isUnanswered(error: unknown): boolean {
  // The library does not export this class, and its message speaks of one cause only.
  return error instanceof Error && error.name === "JetStreamNotEnabled";
}

function hasCode(error: unknown, ...wanted: readonly number[]): boolean {
  return error instanceof JetStreamApiError && wanted.includes(error.code);
}
