import type { Message } from "./messages.ts";

/** Tells the parent of this process. Does nothing where it has gone. */
export function say(message: Message): void {
  if (!process.connected) return;
  // With a callback, a parent that goes meanwhile is no error event.
  process.send?.(message, undefined, undefined, () => {});
}
