import { copyFile, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { IncomingMessage, RequestListener, ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import type { ServerOptions } from "node:https";
import { createServer as createTcpServer } from "node:net";
import type { AddressInfo, Server, Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TLSSocket } from "node:tls";
import { gzipSync } from "node:zlib";
import { afterEach, describe, expect, it, vi } from "vitest";
import { createHttpClient, HttpError, HttpOptionsError } from "./index.ts";
import type { HttpAnswer, HttpClient, HttpClientOptions, HttpFailure, HttpRequest } from "./index.ts";

const certificates = join(import.meta.dirname, "../../../test/certificates");
const pathOf = (name: string): string => join(certificates, name);
const pem = (name: string): string => readFileSync(pathOf(name), "utf8");
const cleanups: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

async function listen(server: Server): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return (server.address() as AddressInfo).port;
}

const serveHttp = async (answer: RequestListener): Promise<string> =>
  `http://127.0.0.1:${await listen(createServer(answer))}`;

async function serveHttps(answer: RequestListener, options: ServerOptions = {}): Promise<string> {
  const server = createTlsServer({ cert: pem("server.crt"), key: pem("server.key"), ...options }, answer);
  server.on("tlsClientError", () => {});
  return `https://127.0.0.1:${await listen(server)}`;
}

/** A server that writes these bytes as its answer and then ends the connection. */
async function serveBytes(bytes: string, end: (socket: Socket) => void = (socket) => socket.end()): Promise<string> {
  const port = await listen(
    createTcpServer((socket) => {
      socket.once("data", () => socket.write(bytes, "latin1", () => end(socket)));
    }),
  );
  return `http://127.0.0.1:${port}`;
}

function client(options: HttpClientOptions): HttpClient {
  const made = createHttpClient(options);
  cleanups.push(() => made.close());
  return made;
}

const get = (path = "/", more: Partial<HttpRequest> = {}): HttpRequest => ({
  path,
  signal: new AbortController().signal,
  headMs: 10_000,
  idleMs: 10_000,
  maxBytes: 1_000_000,
  ...more,
});

async function folder(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), "http-client-"));
  cleanups.push(() => rm(dir, { recursive: true }));
  return dir;
}

async function failureOf(work: Promise<unknown>): Promise<HttpError> {
  try {
    await work;
  } catch (error) {
    expect(error).toBeInstanceOf(HttpError);
    return error as HttpError;
  }
  throw new Error("nothing failed");
}

async function linesOf(answer: HttpAnswer): Promise<string[]> {
  const lines: string[] = [];
  for await (const line of answer.lines()) lines.push(line);
  return lines;
}

const respond = (body: string, headers: Record<string, string> = {}, status = 200): RequestListener => {
  return (_request, response) => {
    response.writeHead(status, headers).end(body);
  };
};

const never = (): void => {};

describe("a request", () => {
  it("carries method, path under the base path, headers, credentials and body", async () => {
    const seen: unknown[] = [];
    const url = await serveHttp((request, response) => {
      const { method, url: path, headers } = request;
      let body = "";
      request.on("data", (chunk: Buffer) => (body += chunk.toString()));
      request.on("end", () => {
        seen.push({ method, path, one: headers["x-one"], two: headers["x-two"], auth: headers.authorization, body });
        response.setHeader("X-Many", ["a", "b"]);
        response.end("ünï");
      });
    });
    const http = client({
      url: `${url}/base/`,
      headers: { "X-One": "1", "X-Two": "2" },
      auth: { type: "basic", username: "me", password: { value: "pässword" } },
    });
    const answer = await http.request(
      get("/a/../b?c=%20d", { method: "PUT", headers: { "x-two": "3" }, body: "hello" }),
    );
    expect([answer.status, answer.headers.get("x-many"), await answer.text()]).toEqual([200, "a, b", "ünï"]);
    const auth = `Basic ${Buffer.from("me:pässword").toString("base64")}`;
    expect(seen).toEqual([{ method: "PUT", path: "/base/a/../b?c=%20d", one: "1", two: "3", auth, body: "hello" }]);
  });

  it.each([301, 302, 307, 404, 500])("hands over status %i as an answer", async (status) => {
    let asked = 0;
    const url = await serveHttp((request, response) => {
      asked++;
      respond('{"error":1}', { location: "/elsewhere" }, status)(request, response);
    });
    const answer = await client({ url }).request(get());
    expect([answer.status, answer.headers.get("location"), await answer.text(), asked]).toEqual([
      status,
      "/elsewhere",
      '{"error":1}',
      1,
    ]);
  });

  it("uses connections again for one request after the other", async () => {
    const ports = new Set<number | undefined>();
    const url = await serveHttp((request, response) => {
      ports.add(request.socket.remotePort);
      response.end("x".repeat(100_000));
    });
    const http = client({ url });
    for (let i = 0; i < 10; i++) await (await http.request(get())).text();
    // The one that just answered may not be ready yet, so there may be two.
    expect(ports.size).toBeLessThanOrEqual(2);
  });

  it("waits for a connection when all are in use, and its deadline runs", async () => {
    const waiting: ServerResponse[] = [];
    const url = await serveHttp((_request, response) => waiting.push(response));
    const http = client({ url, connections: 1 });
    const first = http.request(get("/first"));
    await vi.waitFor(() => expect(waiting).toHaveLength(1));
    expect((await failureOf(http.request(get("/second", { headMs: 50 })))).failure).toBe("TIMEOUT");
    const third = http.request(get("/third"));
    waiting[0]?.end("1");
    expect(await (await first).text()).toBe("1");
    await vi.waitFor(() => expect(waiting).toHaveLength(2));
    waiting[1]?.end("3");
    expect(await (await third).text()).toBe("3");
  });

  it("that cannot be sent as given is a mistake of the caller", async () => {
    const http = client({ url: "http://127.0.0.1:1" });
    await expect(http.request(get("relative"))).rejects.toThrow(TypeError);
    await expect(http.request(get("/", { headers: { x: "a\nb" } }))).rejects.not.toBeInstanceOf(HttpError);
  });
});

describe("a body", () => {
  it.each(["gzip", "x-gzip"])("in %s is decompressed", async (coding) => {
    const url = await serveHttp((request, response) => {
      expect(request.headers["accept-encoding"]).toBe("gzip");
      response.writeHead(200, { "content-encoding": coding }).end(gzipSync("a\r\nb\nünï\n"));
    });
    expect(await (await client({ url }).request(get())).text()).toBe("a\r\nb\nünï\n");
    expect(await linesOf(await client({ url }).request(get()))).toEqual(["a", "b", "ünï"]);
  });

  it("that is empty needs no compression, whatever the head says", async () => {
    const url = await serveHttp(respond("", { "content-encoding": "gzip" }, 204));
    expect(await (await client({ url }).request(get())).text()).toBe("");
  });

  it("of compressed zeros stops at the limit, which counts what comes out", async () => {
    const bomb = gzipSync(Buffer.alloc(50_000_000));
    const url = await serveHttp((_request, response) => {
      response.writeHead(200, { "content-encoding": "gzip" }).end(bomb);
    });
    const http = client({ url });
    const before = process.memoryUsage().arrayBuffers;
    expect((await failureOf((await http.request(get())).text())).failure).toBe("TOO_LARGE");
    expect((await failureOf(linesOf(await http.request(get())))).failure).toBe("TOO_LARGE");
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(30_000_000);
  });

  it("may be as long as the limit and no longer; of lines, each", async () => {
    const url = await serveHttp(respond("12345\n12345\n"));
    const http = client({ url });
    const read = async (maxBytes: number): Promise<string> => (await http.request(get("/", { maxBytes }))).text();
    expect(await read(12)).toHaveLength(12);
    expect((await failureOf(read(11))).failure).toBe("TOO_LARGE");
    expect(await linesOf(await http.request(get("/", { maxBytes: 5 })))).toEqual(["12345", "12345"]);
    const short = await http.request(get("/", { maxBytes: 4 }));
    expect((await failureOf(linesOf(short))).failure).toBe("TOO_LARGE");
  });

  it("arrives line by line, each as soon as it is whole, whatever the pieces", async () => {
    let response: ServerResponse | undefined;
    const url = await serveHttp((_request, answer) => {
      response = answer;
      answer.write("");
      answer.flushHeaders();
    });
    const answer = await client({ url }).request(get());
    const lines = answer.lines()[Symbol.asyncIterator]();
    const bytes = Buffer.from('{"name":"ü"}\n\n{"b":1}\n');
    response?.write(bytes.subarray(0, 10));
    const first = lines.next();
    response?.write(bytes.subarray(10, 11));
    response?.write(bytes.subarray(11));
    expect(await first).toEqual({ done: false, value: '{"name":"ü"}' });
    expect(await lines.next()).toEqual({ done: false, value: "" });
    expect(await lines.next()).toEqual({ done: false, value: '{"b":1}' });
    response?.end();
    expect(await lines.next()).toEqual({ done: true, value: undefined });
  });

  const head = "HTTP/1.1 200 OK\r\n";
  const gzip = gzipSync("x".repeat(1000)).toString("latin1");
  it.each<[string, string, HttpFailure]>([
    ["shorter than its content-length", `${head}content-length: 20\r\n\r\nhalf`, "CUT"],
    [
      "shorter than its content-length, on a closing connection",
      `${head}connection: close\r\ncontent-length: 20\r\n\r\nhalf`,
      "CUT",
    ],
    ["in pieces without a last one", `${head}transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n`, "CUT"],
    [
      "in pieces without a last one, on a closing connection",
      `${head}connection: close\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n`,
      "CUT",
    ],
    ["with half a last piece", `${head}transfer-encoding: chunked\r\n\r\nff\r\nhalf`, "CUT"],
    ["with a broken length of a piece", `${head}transfer-encoding: chunked\r\n\r\nzz\r\nhalf\r\n`, "ENCODING"],
    [
      "of half a compressed stream",
      `${head}content-encoding: gzip\r\nconnection: close\r\n\r\n${gzip.slice(0, 15)}`,
      "CUT",
    ],
    [
      "that is not compressed although it says so",
      `${head}content-encoding: gzip\r\nconnection: close\r\n\r\nplain`,
      "ENCODING",
    ],
    ["in a coding that nobody asked for", `${head}content-encoding: br\r\nconnection: close\r\n\r\nplain`, "ENCODING"],
  ])("%s fails as text and as lines", async (_name, bytes, failure) => {
    const http = client({ url: await serveBytes(bytes) });
    expect((await failureOf((await http.request(get())).text())).failure).toBe(failure);
    expect((await failureOf(linesOf(await http.request(get())))).failure).toBe(failure);
  });

  it("that ends within a line fails as lines only", async () => {
    const http = client({ url: await serveHttp(respond("whole\nhal")) });
    expect(await (await http.request(get())).text()).toBe("whole\nhal");
    const seen: string[] = [];
    const answer = await http.request(get());
    const work = (async () => {
      for await (const line of answer.lines()) seen.push(line);
    })();
    expect((await failureOf(work)).failure).toBe("CUT");
    expect(seen).toEqual(["whole"]);
  });

  it("that falls silent fails, and one whose reader is slow does not", async () => {
    const url = await serveHttp((request, response) => {
      response.write("one\ntwo\n");
      if (request.url === "/ends") response.end();
    });
    const http = client({ url });
    expect((await failureOf((await http.request(get("/", { idleMs: 50 }))).text())).failure).toBe("IDLE");
    expect((await failureOf(linesOf(await http.request(get("/", { idleMs: 50 }))))).failure).toBe("IDLE");
    const seen: string[] = [];
    for await (const line of (await http.request(get("/ends", { idleMs: 50 }))).lines()) {
      seen.push(line);
      const start = performance.now();
      await vi.waitFor(() => expect(performance.now() - start).toBeGreaterThan(120));
    }
    expect(seen).toEqual(["one", "two"]);
  });

  it("is read once", async () => {
    const answer = await client({ url: await serveHttp(respond("x")) }).request(get());
    await answer.text();
    await expect(answer.text()).rejects.toThrow(TypeError);
  });

  it.each<[string, (answer: HttpAnswer) => Promise<void> | void]>([
    ["dropping it", (answer) => answer.drop()],
    [
      "leaving its lines",
      async (answer) => {
        for await (const line of answer.lines()) if (line === "one") break;
      },
    ],
  ])("lets its connection go by %s", async (_name, leave) => {
    const requests: IncomingMessage[] = [];
    const url = await serveHttp((request, response) => {
      requests.push(request);
      response.write("one\n");
    });
    const http = client({ url, connections: 1 });
    await leave(await http.request(get()));
    await vi.waitFor(() => expect(requests[0]?.socket.destroyed).toBe(true));
    (await http.request(get())).drop();
    expect(requests).toHaveLength(2);
  });
});

describe("no answer", () => {
  it("in time is a timeout, and the connection is closed", async () => {
    const sockets: Socket[] = [];
    const url = await serveHttp((request) => sockets.push(request.socket));
    const error = await failureOf(client({ url }).request(get("/a?token=secret", { headMs: 60 })));
    expect([error.failure, error.url, error.message]).toEqual(["TIMEOUT", `${url}/a`, "no answer within 60 ms"]);
    await vi.waitFor(() => expect(sockets[0]?.destroyed).toBe(true));
  });

  it("from a closed port is no connection, also for a name with several addresses", async () => {
    const port = await listen(createTcpServer());
    for (const cleanup of cleanups.splice(0)) await cleanup();
    for (const host of ["127.0.0.1", "localhost"]) {
      const error = await failureOf(client({ url: `http://${host}:${port}` }).request(get()));
      expect(error.failure).toBe("CONNECT");
      expect(error.message).toContain("ECONNREFUSED");
    }
  });

  it("from a host without address is no connection", async () => {
    const error = await failureOf(client({ url: "http://no-such-host.invalid" }).request(get()));
    expect(error.failure).toBe("CONNECT");
  });

  it.each<[string, string, HttpFailure]>([
    ["closes", "", "CUT"],
    ["closes within the head", "HTTP/1.1 200 OK\r\ncontent-", "CUT"],
    ["speaks something else", "SSH-2.0-OpenSSH\r\n", "ENCODING"],
    ["sends a head without end", `HTTP/1.1 200 OK\r\nx: ${"y".repeat(20_000)}\r\n\r\n`, "TOO_LARGE"],
  ])("comes of a server that %s", async (_name, bytes, failure) => {
    expect((await failureOf(client({ url: await serveBytes(bytes) }).request(get()))).failure).toBe(failure);
  });

  it("is waited for after the caller aborts: before, at the head and in the body", async () => {
    const url = await serveHttp((request, response) => {
      if (request.url === "/body") response.write("x");
    });
    const http = client({ url });
    const stop = new AbortController();
    const head = failureOf(http.request(get("/head", { signal: stop.signal })));
    const body = failureOf((await http.request(get("/body", { signal: stop.signal }))).text());
    stop.abort(new Error("enough"));
    const errors = [await head, await body, await failureOf(http.request(get("/", { signal: stop.signal })))];
    expect(errors.map(({ failure }) => failure)).toEqual(["ABORTED", "ABORTED", "ABORTED"]);
    expect(errors[0]?.cause).toEqual(new Error("enough"));
  });

  it("comes from a client that is closed, and close ends all that runs", async () => {
    const sockets = new Set<Socket>();
    const url = await serveHttp((request, response) => {
      sockets.add(request.socket);
      if (request.url === "/body") response.write("x");
    });
    const http = createHttpClient({ url });
    const head = failureOf(http.request(get("/head")));
    const body = failureOf((await http.request(get("/body"))).text());
    await vi.waitFor(() => expect(sockets.size).toBe(2));
    await http.close();
    expect([(await head).failure, (await body).failure]).toEqual(["ABORTED", "ABORTED"]);
    await vi.waitFor(() => expect([...sockets].every(({ destroyed }) => destroyed)).toBe(true));
    expect((await failureOf(http.request(get()))).failure).toBe("ABORTED");
    await http.close();
  });

  it("leaves no listener on a signal that lives longer than the requests", async () => {
    const url = await serveHttp((request, response) => {
      if (request.url === "/") response.end("x");
    });
    const http = client({ url });
    const stop = new AbortController();
    const added = vi.spyOn(stop.signal, "addEventListener");
    const removed = vi.spyOn(stop.signal, "removeEventListener");
    await (await http.request(get("/", { signal: stop.signal }))).text();
    (await http.request(get("/", { signal: stop.signal }))).drop();
    await failureOf(http.request(get("/never", { signal: stop.signal, headMs: 20 })));
    // Those that overlap share one.
    await vi.waitFor(() => expect(removed).toHaveBeenCalledTimes(added.mock.calls.length));
    expect(added).toHaveBeenCalled();
  });

  it("hangs one listener on the signal that ends many requests", async () => {
    const waiting: ServerResponse[] = [];
    const url = await serveHttp((_request, response) => waiting.push(response));
    const http = client({ url, connections: 30 });
    const stop = new AbortController();
    const added = vi.spyOn(stop.signal, "addEventListener");
    const ended = Array.from({ length: 30 }, () => failureOf(http.request(get("/", { signal: stop.signal }))));
    await vi.waitFor(() => expect(waiting).toHaveLength(30));
    expect(added).toHaveBeenCalledTimes(1);
    stop.abort();
    expect(new Set((await Promise.all(ended)).map(({ failure }) => failure))).toEqual(new Set(["ABORTED"]));
    const late = await failureOf(http.request(get("/", { signal: stop.signal })));
    expect(late.failure).toBe("ABORTED");
  });
});

describe("TLS", () => {
  it("trusts the given authority only, and a name of the certificate only", async () => {
    const url = await serveHttps(respond("secure"));
    const ask = async (tls: HttpClientOptions["tls"], at = url): Promise<string> =>
      (await client({ url: at, ...(tls && { tls }) }).request(get())).text();
    const ca = { pem: pem("ca.crt") };
    expect(await ask({ ca })).toBe("secure");
    expect(await ask({ ca, serverName: "registry.test" })).toBe("secure");
    expect(await ask({ insecureSkipVerify: true })).toBe("secure");
    expect((await failureOf(ask(undefined))).failure).toBe("TLS");
    expect((await failureOf(ask({ ca: { pem: pem("other-ca.crt") } }))).failure).toBe("TLS");
    expect((await failureOf(ask({ ca, serverName: "other.test" }))).failure).toBe("TLS");
  });

  it("to a server that speaks none, and none to one that does, fail", async () => {
    const plain = (await serveHttp(respond("x"))).replace("http:", "https:");
    expect((await failureOf(client({ url: plain }).request(get()))).failure).toBe("TLS");
    const secure = (await serveHttps(respond("x"))).replace("https:", "http:");
    expect(["CUT", "ENCODING"]).toContain((await failureOf(client({ url: secure }).request(get()))).failure);
  });

  it.each(["TLSv1.2", "TLSv1.3"] as const)("says that a certificate may be missing (%s)", async (version) => {
    const options: ServerOptions = {
      requestCert: true,
      rejectUnauthorized: true,
      ca: pem("ca.crt"),
      maxVersion: version,
    };
    const url = await serveHttps(respond("x"), { ...options, minVersion: version });
    const error = await failureOf(client({ url, tls: { ca: { pem: pem("ca.crt") } } }).request(get()));
    expect(["TLS", "CUT"]).toContain(error.failure);
    expect(error.message).toContain("the server may require a client certificate");
  });

  it("fails in time where the handshake hangs", async () => {
    const port = await listen(createTcpServer(never));
    const error = await failureOf(client({ url: `https://127.0.0.1:${port}`, connectMs: 100 }).request(get()));
    expect(error.failure).toBe("CONNECT");
  });

  it("shows a new certificate after its files changed; the answer under way goes on", async () => {
    const dir = await folder();
    const { cert, key } = { cert: join(dir, "tls.crt"), key: join(dir, "tls.key") };
    await symlink(pathOf("client.crt"), cert);
    await symlink(pathOf("client.key"), key);
    const watches: ServerResponse[] = [];
    const answer: RequestListener = (request, response) => {
      const { socket } = request;
      const name = socket instanceof TLSSocket ? String(socket.getPeerCertificate().subject.CN) : "";
      if (request.url === "/watch") watches.push(response.writeHead(200));
      if (request.url === "/watch") response.write(`${name}\n`);
      else response.end(name);
    };
    const url = await serveHttps(answer, { requestCert: true, rejectUnauthorized: true, ca: pem("ca.crt") });
    const rejected: string[] = [];
    const http = client({
      url,
      tls: { ca: { pem: pem("ca.crt") }, cert: { file: cert }, key: { file: key } },
      onRejected: (reason) => rejected.push(reason),
    });
    const name = async (): Promise<string> => (await http.request(get())).text();
    const lines = (await http.request(get("/watch"))).lines()[Symbol.asyncIterator]();
    expect(await lines.next()).toEqual({ done: false, value: "client" });
    // A certificate without its key is no pair: the old one stays until the key is there as well.
    await symlink(pathOf("renewed.crt"), join(dir, "next"));
    await rename(join(dir, "next"), cert);
    await vi.waitFor(
      async () => {
        expect(await name()).toBe("client");
        expect(rejected).toHaveLength(1);
      },
      { timeout: 5000 },
    );
    expect(rejected[0]).toContain(cert);
    await rm(key);
    await copyFile(pathOf("renewed.key"), key);
    await vi.waitFor(async () => expect(await name()).toBe("renewed"), { timeout: 5000 });
    watches[0]?.end("old\n");
    expect(await lines.next()).toEqual({ done: false, value: "old" });
    expect(await lines.next()).toEqual({ done: true, value: undefined });
    await rm(cert);
    await vi.waitFor(
      async () => {
        expect(await name()).toBe("renewed");
        expect(rejected.at(-1)).toBe(`${cert} cannot be read (ENOENT)`);
      },
      { timeout: 5000 },
    );
  });

  it.each(["missing", "junk"])("without a usable authority sends nothing: %s", async (what) => {
    const dir = await folder();
    let asked = 0;
    const url = await serveHttps((_request, response) => {
      asked++;
      response.end("x");
    });
    const file = join(dir, "ca.crt");
    if (what === "junk") await writeFile(file, "-----BEGIN CERTIFICATE-----\nAAAA\n");
    const http = client({ url, tls: { ca: { file } } });
    const error = await failureOf(http.request(get()));
    expect([error.failure, asked]).toEqual(["CREDENTIALS", 0]);
    expect(error.message).toContain(file);
    await rm(file, { force: true });
    await copyFile(pathOf("ca.crt"), file);
    await vi.waitFor(async () => expect(await (await http.request(get())).text()).toBe("x"), { timeout: 5000 });
  });
});

describe("a secret", () => {
  /** A server that lets in who shows one of the tokens. */
  async function guarded(tokens: Set<string>, header = "x-consul-token"): Promise<{ url: string; seen: string[] }> {
    const seen: string[] = [];
    const url = await serveHttp((request, response) => {
      const token = String(request.headers[header]);
      seen.push(token);
      response.writeHead(tokens.has(token) ? 200 : 403).end();
    });
    return { url, seen };
  }

  it("from a file is read again at once after a 403, and else when the file changes", async () => {
    const file = join(await folder(), "token");
    await writeFile(file, "one\n");
    const { url, seen } = await guarded(new Set(["one", "two", "six"]));
    const http = client({ url, auth: { type: "header", name: "X-Consul-Token", value: { file } } });
    const status = async (): Promise<number> => {
      const answer = await http.request(get());
      await answer.text();
      return answer.status;
    };
    expect(await status()).toBe(200);
    await writeFile(file, "bad");
    await vi.waitFor(async () => expect(await status()).toBe(403), { timeout: 5000, interval: 20 });
    // Same length, and no second has passed.
    await writeFile(file, "two");
    expect(await status()).toBe(200);
    await writeFile(file, "six");
    await vi.waitFor(
      async () => {
        expect(await status()).toBe(200);
        expect(seen.at(-1)).toBe("six");
      },
      { timeout: 5000, interval: 20 },
    );
  });

  it("that is gone or empty later is reported once and stays in use; one that never was stops the request", async () => {
    const file = join(await folder(), "token");
    const rejected: string[] = [];
    const { url, seen } = await guarded(new Set());
    const http = client({
      url,
      auth: { type: "header", name: "x-consul-token", value: { file } },
      onRejected: (reason) => rejected.push(reason),
    });
    const ask = async (): Promise<void> => (await http.request(get())).drop();
    expect((await failureOf(ask())).message).toBe(`no usable auth: ${file} cannot be read (ENOENT)`);
    await writeFile(file, "  \n");
    expect((await failureOf(ask())).failure).toBe("CREDENTIALS");
    expect(seen).toEqual([]);
    await writeFile(file, "good");
    // Each answer is a 403, so that each request reads the file.
    await vi.waitFor(ask, { timeout: 5000 });
    await writeFile(file, "");
    await ask();
    await rm(file);
    await ask();
    await ask();
    await writeFile(file, "fine");
    await ask();
    expect(seen).toEqual(["good", "good", "good", "good", "fine"]);
    expect(rejected).toEqual([`${file} is empty`, `${file} cannot be read (ENOENT)`]);
  });

  it("from a function is asked for each time, and told whether the last one was refused", async () => {
    const { url, seen } = await guarded(new Set(["Bearer 2"]), "authorization");
    const refusals: boolean[] = [];
    const token = (refused: boolean): Promise<string> => Promise.resolve(String(refusals.push(refused)));
    const http = client({ url, auth: { type: "bearer", token: { get: token } } });
    for (let i = 0; i < 3; i++) await (await http.request(get())).text();
    expect([seen, refusals]).toEqual([
      ["Bearer 1", "Bearer 2", "Bearer 3"],
      [false, true, false],
    ]);
  });

  it.each<[string, () => Promise<string>]>([
    ["fails", () => Promise.reject(new Error("exec printed hunter2"))],
    ["gives two lines", () => Promise.resolve("hunter2\nhunter2")],
    ["hangs", () => new Promise(never)],
  ])("from a function that %s is named in no message", async (_name, token) => {
    const { url, seen } = await guarded(new Set());
    const http = client({ url, auth: { type: "bearer", token: { get: token } } });
    const error = await failureOf(http.request(get("/?hunter2", { headMs: 100 })));
    expect(["CREDENTIALS", "TIMEOUT"]).toContain(error.failure);
    expect(`${error.message}${error.url}`).not.toContain("hunter2");
    expect(seen).toEqual([]);
  });
});

describe("options", () => {
  const secret = { value: "hunter2\n" };
  it.each<[string, HttpClientOptions]>([
    ["url", { url: "consul:8500" }],
    ["url", { url: "not a url" }],
    ["url", { url: "http://me:hunter2@consul" }],
    ["url", { url: "http://consul?token=hunter2" }],
    ["tls", { url: "http://consul", tls: { insecureSkipVerify: true } }],
    ["tls.key", { url: "https://consul", tls: { cert: { pem: "x" } } }],
    ["auth.username", { url: "http://consul", auth: { type: "basic", username: "a:b", password: secret } }],
    ["auth.name", { url: "http://consul", auth: { type: "header", name: "a b", value: { value: "x" } } }],
    ["auth.token", { url: "http://consul", auth: { type: "bearer", token: secret } }],
    ["connections", { url: "http://consul", connections: 0 }],
  ])("at fault are named: %s (%#)", (option, options) => {
    const make = (): HttpClient => createHttpClient(options);
    expect(make).toThrow(HttpOptionsError);
    expect(make).toThrow(expect.objectContaining({ option }));
    expect(make).not.toThrow(/hunter2/);
  });
});
