import { EventEmitter } from "node:events";
import type { HttpError } from "./http-error.ts";

/**
 * One request under way, as undici takes it in the place of a signal. An AbortController would be a kilobyte and much of the
 * work of a request that waits for news, and there are as many as a client has connections.
 */
export class Call extends EventEmitter {
  aborted = false;
  reason: HttpError | undefined;

  /** Ends the request with this error. Only the first one counts. */
  abort(reason: HttpError): void {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    this.emit("abort");
  }

  /** Throws the error that ended it. */
  throwIfAborted(): void {
    if (this.reason !== undefined) throw this.reason;
  }
}
