import { readFileSync } from "node:fs";
import { Agent as HttpAgent, request as requestHttp, type IncomingMessage } from "node:http";
import { Agent as HttpsAgent, request as requestHttps } from "node:https";

/** How the API of a server is reached. Plain data: it goes to other processes. */
export interface Access {
  /** Without a path. */
  readonly url: string;
  /** The authority of its certificate. */
  readonly caFile?: string;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** One whole answer. */
export interface ApiAnswer {
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
}

/** One request. */
export interface ApiCall {
  readonly method?: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  readonly body?: unknown;
  readonly type?: string;
  readonly signal?: AbortSignal;
}

/** A server's API over kept connections, with nothing but Node in between. `close()` ends all of it. */
export class Api {
  readonly #access: Access;
  readonly #agent: HttpAgent;

  constructor(access: Access, connections: number) {
    this.#access = access;
    const pool = { keepAlive: true, maxSockets: connections };
    const ca = access.caFile === undefined ? undefined : readFileSync(access.caFile);
    this.#agent = access.url.startsWith("https:")
      ? new HttpsAgent({ ...pool, ...(ca && { ca }) })
      : new HttpAgent(pool);
  }

  /** The whole answer. Rejects where there is none, or its status is not a good one. */
  async send(path: string, call: ApiCall = {}): Promise<ApiAnswer> {
    const { headers, statusCode: status = 0, ...rest } = await this.open(path, call).then(whole);
    if (status < 200 || status > 299)
      throw new Error(`${call.method ?? "GET"} ${path} was answered with ${status}: ${rest.text.slice(0, 300)}`);
    return { headers, text: rest.text };
  }

  /** The answer as soon as its head is there. */
  open(
    path: string,
    { method = "GET", body, type = "application/json", signal }: ApiCall = {},
  ): Promise<IncomingMessage> {
    const { url, headers } = this.#access;
    const payload = body === undefined ? "" : JSON.stringify(body);
    const content = { "content-type": type, "content-length": Buffer.byteLength(payload) };
    const options = {
      method,
      agent: this.#agent,
      headers: { accept: "application/json", ...(payload !== "" && content), ...headers },
      ...(signal && { signal }),
    };
    return new Promise((resolve, reject) => {
      const send = url.startsWith("https:") ? requestHttps : requestHttp;
      send(`${url}${path}`, options, resolve).on("error", reject).end(payload);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

async function whole(message: IncomingMessage) {
  const chunks: Buffer[] = [];
  for await (const chunk of message) chunks.push(chunk as Buffer);
  const { headers, statusCode } = message;
  return { headers, statusCode, text: Buffer.concat(chunks).toString("utf8") };
}

/** Does the work of every item, so many at the same time. Rejects with the first failure, when what had begun has ended. */
export async function parallel<T>(items: Iterable<T>, width: number, work: (item: T) => Promise<void>): Promise<void> {
  const failures: unknown[] = [];
  // One iterator for all: each takes the next one.
  const left = items[Symbol.iterator]();
  const worker = async (): Promise<void> => {
    for (let next = left.next(); next.done !== true && failures.length === 0; next = left.next()) {
      await work(next.value).catch((error: unknown) => failures.push(error));
    }
  };
  await Promise.all(Array.from({ length: width }, worker));
  if (failures.length > 0) throw failures[0];
}
