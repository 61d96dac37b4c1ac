/** Resolves when all work that is ready has been done. */
export async function settled(): Promise<void> {
  // A turn of the event loop ends only when no promise has a callback left to run.
  await new Promise<void>((resolve) => setImmediate(resolve));
}
