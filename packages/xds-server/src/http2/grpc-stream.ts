import { constants } from "node:http2";
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import type { Steps } from "@signalbox/slices";
import { grpcStatus } from "../transport.ts";
import type { AcceptStream, Peer, StreamCall, StreamHandler } from "../transport.ts";
import type { Turns } from "../turns.ts";
import { parseTimeout, responseHeaders, statusTrailers } from "./headers.ts";
import { Inbox } from "./inbox.ts";
import { MessageError, MessageReader } from "./message-reader.ts";
import type { PartialBudget } from "./message-reader.ts";

const sliceBytes = 256 * 1024;
const sliceChunks = 256;
const longestTimerMs = 2 ** 31 - 1;

/** What a stream needs from its connection. */
export interface StreamContext {
  readonly peer: Peer;
  readonly receiveBytes: number;
  /** What the connection may hold of unfinished messages. */
  readonly partial: PartialBudget;
  /** What it may hold of whole messages that wait for their turn. */
  readonly waiting: PartialBudget;
  readonly accept: AcceptStream;
  /** When messages are handed on. */
  readonly turns: Turns;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  /** The server's side has ended; the client may still hold its own side open. */
  readonly ended: () => void;
  /** The stream was turned away or cut off. */
  readonly refused: (reason: string) => void;
}

interface PendingWrite {
  readonly chunks: readonly Uint8Array[];
  readonly done: () => void;
  chunk: number;
  offset: number;
}

interface Ending {
  readonly code: number;
  readonly message: string;
}

/**
 * One gRPC call on one HTTP/2 stream. A message is handed to HTTP/2 in slices of at most 256 KiB that are windows on the
 * caller's bytes; the next slice follows when the last one has left. So nothing is copied, little is queued, and a
 * client that does not read is visible as a pending write without progress.
 */
export class GrpcStream implements StreamCall {
  readonly path: string;
  readonly peer: Peer;
  readonly #http: ServerHttp2Stream;
  readonly #context: StreamContext;
  readonly #reader: MessageReader;
  #handler: StreamHandler | undefined;
  #handlerTold = false;
  #pending: PendingWrite | undefined;
  #progressAt = 0;
  #ending: Ending | undefined;
  #trailersAsked = false;
  readonly #inbox: Inbox;
  #halfClosedLater = false;
  #deadline: NodeJS.Timeout | undefined;

  constructor(http: ServerHttp2Stream, headers: IncomingHttpHeaders, context: StreamContext) {
    this.#http = http;
    this.#context = context;
    this.#reader = new MessageReader(context.receiveBytes, context.partial);
    const owner = {
      deliver: (bytes: Uint8Array) => this.#deliver(bytes),
      pause: () => http.pause(),
      resume: () => this.#readOn(),
    };
    this.#inbox = new Inbox(owner, context.turns, context.waiting);
    this.path = headers[":path"] ?? "";
    this.peer = context.peer;
    http.on("wantTrailers", () => this.#sendTrailers());
    http.on("close", () => this.#gone());
    this.#open(headers);
  }

  write(frame: readonly Uint8Array[], done: () => void): void {
    if (this.#pending !== undefined) throw new Error("a message is still unfinished on this stream");
    if (this.#ending !== undefined || this.#http.destroyed || this.#http.closed) {
      queueMicrotask(() => this.#guard(done));
      return;
    }
    if (!this.#http.headersSent) this.#http.respond(responseHeaders, { waitForTrailers: true });
    this.#pending = { chunks: frame, done, chunk: 0, offset: 0 };
    this.#progressAt = this.#context.now();
    this.#writeSlice();
  }

  end(code: number, message: string): void {
    if (this.#ending !== undefined) return;
    this.#ending = { code, message };
    this.#reader.clear();
    this.#inbox.clear();
    clearTimeout(this.#deadline);
    if (this.#pending === undefined) this.#finish();
    queueMicrotask(() => this.#tellClosed());
  }

  /** Since when, in monotonic milliseconds, a pending message has made no progress; `undefined` when none is pending. */
  get stalledSince(): number | undefined {
    return this.#pending === undefined ? undefined : this.#progressAt;
  }

  /** Resets the stream and frees all that it holds. */
  reset(reason: string): void {
    this.#context.refused(reason);
    this.#http.close(constants.NGHTTP2_CANCEL);
  }

  #open(headers: IncomingHttpHeaders): void {
    const timeout = headers["grpc-timeout"];
    const timeoutMs = timeout === undefined ? Infinity : parseTimeout(String(timeout));
    if (timeoutMs === undefined) {
      this.#refuse(grpcStatus.internal, "malformed grpc-timeout");
      return;
    }
    try {
      this.#handler = this.#context.accept(this);
    } catch (error) {
      this.#fail(error);
      return;
    }
    if (this.#ended()) return;
    if (this.#handler === undefined) {
      this.#refuse(grpcStatus.unimplemented, `unknown method ${this.path}`);
      return;
    }
    if (timeoutMs <= longestTimerMs) {
      this.#deadline = setTimeout(() => this.end(grpcStatus.deadlineExceeded, "deadline exceeded"), timeoutMs);
    }
    this.#http.on("data", (chunk: Buffer) => this.#receive(chunk));
    this.#http.on("end", () => this.#halfClosed());
    // It may have waited to be opened, and nobody was told.
    if (this.#http.readableEnded) this.#halfClosed();
  }

  #refuse(code: number, message: string): void {
    this.#context.refused(message);
    this.end(code, message);
  }

  /** A fault in the handler ends this stream alone: the process serves other clients. */
  #guard(task: () => void): void {
    try {
      task();
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#context.refused(`the handler failed: ${error instanceof Error ? error.message : String(error)}`);
    this.end(grpcStatus.internal, "internal error");
  }

  #ended(): boolean {
    return this.#ending !== undefined;
  }

  #receive(chunk: Buffer): void {
    if (this.#ending !== undefined) return;
    try {
      this.#reader.push(chunk, (message) => this.#inbox.put(message));
    } catch (error) {
      if (error instanceof MessageError) this.#refuse(error.status, error.message);
      else this.#fail(error);
    }
    if (this.#ended()) this.#reader.clear();
    else if (this.#reader.partial && this.#inbox.empty && this.#context.turns.isSpent()) this.#rest();
  }

  /** Of large messages that come from many clients at once, each reads on in its turn. Until then its client sends no more than a window. */
  #rest(): void {
    this.#http.pause();
    this.#context.turns.later(() => this.#readOn());
  }

  #deliver(bytes: Uint8Array): Steps<undefined> | undefined {
    if (this.#ending !== undefined) return undefined;
    try {
      const steps = this.#handler?.message(bytes);
      if (steps !== undefined) return this.#guarded(steps);
    } catch (error) {
      this.#fail(error);
    }
    if (this.#ended()) this.#reader.clear();
    return undefined;
  }

  *#guarded(steps: Steps<undefined>): Steps<undefined> {
    try {
      yield* steps;
    } catch (error) {
      this.#fail(error);
    }
    if (this.#ended()) this.#reader.clear();
    return undefined;
  }

  /** After the last message that waited: what came behind it, or what comes next. */
  #readOn(): void {
    if (!this.#inbox.empty) return;
    if (this.#halfClosedLater) this.#halfClosed();
    else if (!this.#http.destroyed) this.#http.resume();
  }

  #halfClosed(): void {
    if (this.#ending !== undefined) return;
    if (this.#http.closed) {
      // It was reset. "close" follows, but may wait for what is still being written.
      this.#context.turns.run(() => this.#tellClosed());
      return;
    }
    if (!this.#inbox.empty) {
      this.#halfClosedLater = true;
      return;
    }
    const partial = this.#reader.partial;
    this.#tellClosed();
    if (partial) this.end(grpcStatus.internal, "the stream ended within a message");
    else this.end(grpcStatus.ok, "");
  }

  #writeSlice(): void {
    const write = this.#pending;
    if (write === undefined) return;
    const slice = nextSlice(write);
    if (slice.length === 0) {
      this.#pending = undefined;
      if (this.#ending !== undefined) this.#finish();
      this.#guard(write.done);
      return;
    }
    const left = (error: Error | null | undefined): void => this.#sliceLeft(write, error);
    const [only] = slice;
    if (only !== undefined && slice.length === 1) {
      this.#http.write(only, left);
      return;
    }
    this.#http.cork();
    slice.forEach((bytes, index) => {
      if (index < slice.length - 1) this.#http.write(bytes);
      else this.#http.write(bytes, left);
    });
    this.#http.uncork();
  }

  #sliceLeft(write: PendingWrite, error: Error | null | undefined): void {
    // After an error "close" follows, and finishes the write.
    if (this.#pending !== write || error) return;
    this.#progressAt = this.#context.now();
    if (write.chunk >= write.chunks.length) {
      this.#writeSlice();
      return;
    }
    // What is pushed to all clients leaves them all at the same time, and each next slice is another quarter of a megabyte for the kernel.
    this.#context.turns.run(() => {
      if (this.#pending === write) this.#guard(() => this.#writeSlice());
    });
  }

  #finish(): void {
    const ending = this.#ending;
    if (ending === undefined || this.#http.destroyed || this.#http.closed) return;
    if (this.#http.headersSent) {
      this.#http.end();
      return;
    }
    this.#http.respond({ ...responseHeaders, ...statusTrailers(ending.code, ending.message) }, { endStream: true });
    this.#context.ended();
  }

  #sendTrailers(): void {
    if (this.#trailersAsked || this.#http.destroyed || this.#http.closed) return;
    this.#trailersAsked = true;
    const { code, message } = this.#ending ?? { code: grpcStatus.internal, message: "" };
    this.#http.sendTrailers(statusTrailers(code, message));
    this.#context.ended();
  }

  #gone(): void {
    clearTimeout(this.#deadline);
    this.#reader.clear();
    this.#inbox.clear();
    this.#ending ??= { code: grpcStatus.cancelled, message: "the stream is gone" };
    const write = this.#pending;
    this.#pending = undefined;
    // A thousand clients may go together. Nothing more is made for who is gone.
    this.#context.turns.run(() => {
      this.#tellClosed();
      if (write !== undefined) this.#guard(write.done);
    });
  }

  #tellClosed(): void {
    if (this.#handlerTold) return;
    this.#handlerTold = true;
    this.#guard(() => this.#handler?.closed());
  }
}

/** The next windows on the message: together at most 256 KiB and 256 pieces; empty at the end. One that is half full ends where a chunk does. */
function nextSlice(write: PendingWrite): Uint8Array[] {
  const slice: Uint8Array[] = [];
  let room = sliceBytes;
  while (room > 0 && slice.length < sliceChunks) {
    const chunk = write.chunks[write.chunk];
    if (chunk === undefined) break;
    const window = chunk.subarray(write.offset, write.offset + room);
    if (window.length > 0) slice.push(window);
    room -= window.length;
    write.offset += window.length;
    if (write.offset >= chunk.length) {
      write.chunk += 1;
      write.offset = 0;
      if (room <= sliceBytes / 2) break;
    }
  }
  return slice;
}
