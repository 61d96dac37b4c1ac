/** Memory without garbage. Some of it goes only in a second collection, after finalizers ran. Needs `--expose-gc`. */
export function collected(): NodeJS.MemoryUsage {
  if (globalThis.gc === undefined) throw new TypeError("the process was started without --expose-gc");
  globalThis.gc();
  globalThis.gc();
  return process.memoryUsage();
}
