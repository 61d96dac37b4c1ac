import { Agent, request } from "node:http";
import { setTimeout as delay } from "node:timers/promises";

/** What one request came to. */
export interface Answer {
  /** 0 when there was no answer at all. */
  readonly status: number;
  /** The body, or the error's text. */
  readonly text: string;
  /** `performance.now()` when the request was sent. */
  readonly began: number;
  /** `performance.now()` when the answer was complete. */
  readonly at: number;
}

/** Sends one GET request to a proxy on loopback, by default at 127.0.0.1. Never rejects: a connection error is an answer with status 0. */
export function get(port: number, host: string, agent?: Agent, path = "/", address = "127.0.0.1"): Promise<Answer> {
  const began = performance.now();
  return new Promise((resolve) => {
    const fail = (error: Error) => resolve({ status: 0, text: error.message, began, at: performance.now() });
    const options = { host: address, port, path, headers: { host }, ...(agent === undefined ? {} : { agent }) };
    const sent = request(options, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("end", () => resolve({ status: response.statusCode ?? 0, text, began, at: performance.now() }));
      response.on("error", fail);
    });
    sent.on("error", fail);
    sent.end();
  });
}

/** Requests one after another until stopped: what a client sees while the world behind the proxy changes. */
export interface Traffic {
  readonly answers: readonly Answer[];
  /** Resolves with the first answer that fits, looking at those after the call only. */
  next(predicate: (answer: Answer) => boolean, deadlineMs?: number): Promise<Answer>;
  /** Ends after the request that is under way and returns every answer that was not 200. */
  stop(): Promise<readonly Answer[]>;
}

/**
 * Starts `clients` loops that send GET requests for `host` to a proxy, each on one kept-alive connection, with `pauseMs` after each
 * answer. The proxy is at `address`, by default 127.0.0.1.
 */
export function startTraffic(port: number, host: string, clients = 2, pauseMs = 0, address = "127.0.0.1"): Traffic {
  const agent = new Agent({ keepAlive: true, maxSockets: clients });
  const answers: Answer[] = [];
  const waiters = new Set<(answer: Answer) => void>();
  let running = true;
  const loop = async () => {
    while (running) {
      const answer = await get(port, host, agent, "/", address);
      answers.push(answer);
      for (const waiter of waiters) waiter(answer);
      if (pauseMs > 0) await delay(pauseMs);
    }
  };
  const loops = Array.from({ length: clients }, loop);
  return {
    answers,
    next: (predicate, deadlineMs = 10_000) =>
      new Promise((resolve, reject) => {
        const waiter = (answer: Answer) => {
          if (!predicate(answer)) return;
          settle();
          resolve(answer);
        };
        const timer = setTimeout(() => {
          settle();
          reject(new Error(`no such answer within ${deadlineMs} ms; the last one: ${JSON.stringify(answers.at(-1))}`));
        }, deadlineMs);
        const settle = () => {
          clearTimeout(timer);
          waiters.delete(waiter);
        };
        waiters.add(waiter);
      }),
    async stop() {
      running = false;
      await Promise.all(loops);
      agent.destroy();
      return answers.filter((answer) => answer.status !== 200);
    },
  };
}
