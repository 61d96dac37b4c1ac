/** The longest time that a timer of Node.js can wait; more would fire at once. */
const longest = 2 ** 31 - 1;

/** Calls `act` after `ms` milliseconds, unless the returned function is called before. */
export function after(ms: number, act: () => void): () => void {
  if (ms > longest) return () => {};
  const timer = setTimeout(act, ms);
  return () => {
    clearTimeout(timer);
  };
}
