/** Time as the protocol code sees it. */
export interface XdsClock {
  /** Epoch milliseconds. */
  now(): number;
  /** Calls `task` once after `ms` milliseconds; the returned function cancels it. Does not keep the process alive. */
  after(ms: number, task: () => void): () => void;
}

/** The machine's clock. */
export const systemXdsClock: XdsClock = {
  now: () => Date.now(),
  after: (ms, task) => {
    const timer = setTimeout(task, ms);
    timer.unref();
    return () => {
      clearTimeout(timer);
    };
  },
};
