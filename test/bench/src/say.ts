/** Tells the parent of this process a plain message. Does nothing where it has gone. */
export function say(message: object): void {
  if (!process.connected) return;
  // With a callback, a parent that goes meanwhile is no error event.
  process.send?.(message, undefined, undefined, () => {});
}
