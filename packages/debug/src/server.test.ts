import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { connect } from "node:net";
import type { Socket } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import type { DebugServerOptions } from "./options.ts";
import { createDebugServer } from "./server.ts";
import type { DebugServer } from "./server.ts";
import { get } from "./testdata/get.ts";
import { catalog, entry, sources } from "./testdata/world.ts";

const local = { host: "localhost" };

function serve(options: Partial<DebugServerOptions> = {}): DebugServer {
  const server = createDebugServer({ port: 0, sources: sources(), ...options });
  onTestFinished(() => server.close());
  return server;
}

describe("health and readiness", () => {
  it("/healthz is 200 while the process answers", async () => {
    expect(await get("/healthz", { readiness: () => [{ name: "xds", ready: false }] })).toMatchObject({
      status: 200,
      body: "ok\n",
    });
  });

  it.each(["/readyz", "/ready"])("%s is 503 with the reasons until all is ready", async (url) => {
    let listening = false;
    const readiness = () => [
      { name: "xds", ready: listening, reason: "not listening yet" },
      { name: "catalog", ready: true },
    ];
    const server = serve({ sources: sources({ readiness }) });
    const before = await server.inject({ url, headers: local });
    expect(before.status).toBe(503);
    expect(JSON.parse(before.body)).toEqual({
      ready: false,
      checks: [
        { name: "catalog", ready: true },
        { name: "xds", ready: false, reason: "not listening yet" },
      ],
    });
    listening = true;
    expect((await server.inject({ url, headers: local })).status).toBe(200);
  });

  it("/readyz is 200 with a note about what is old", async () => {
    const readiness = () => [{ name: "catalog", ready: true, note: "consul/dc1 is STALE, last read 9 min ago" }];
    const answer = await serve({ sources: sources({ readiness }) }).inject({ url: "/readyz", headers: local });
    expect([answer.status, JSON.parse(answer.body)]).toEqual([
      200,
      { ready: true, checks: [{ name: "catalog", ready: true, note: "consul/dc1 is STALE, last read 9 min ago" }] },
    ]);
  });

  it("/version says what runs", async () => {
    expect((await get("/version")).json()).toEqual({ version: "0.1.0", node: process.version });
  });
});

describe("the index", () => {
  it("/debug links every page, and each linked page is there", async () => {
    const server = serve({ metrics: { contentType: "text/plain", text: () => Promise.resolve("") } });
    const index = await server.inject({ url: "/debug", headers: local });
    expect(index.headers["content-type"]).toBe("text/html; charset=utf-8");
    const paths = [...index.body.matchAll(/href="([^"]+)"/g)].map(([, path]) => path ?? "");
    for (const path of ["/healthz", "/metrics", "/debug/syncz", "/debug/endpointShardz"]) expect(paths).toContain(path);
    for (const path of paths) {
      const { status, body } = await server.inject({ url: path, headers: local });
      if (status === 404) expect(body).not.toContain("SBX_NO_PAGE");
    }
  });

  it("/debug/list has istiod's names, sorted", async () => {
    const names = (await get("/debug/list")).json() as string[];
    expect(names).toEqual([...names].sort());
    for (const name of ["adsz", "config_dump", "configz", "connections", "edsz", "endpointShardz", "endpointz"])
      expect(names).toContain(name);
    for (const name of ["instancesz", "mesh", "registryz", "resourcesz", "syncz"]) expect(names).toContain(name);
    expect(names).not.toContain("list");
    expect(names).not.toContain("pprof/profile");
  });

  it("indents JSON with ?pretty", async () => {
    expect((await get("/version?pretty")).body).toBe(`{\n  "version": "0.1.0",\n  "node": "${process.version}"\n}\n`);
    const world = { catalog: () => catalog([entry("a.example")]) };
    const plain = (await get("/debug/registryz", world)).json();
    expect((await get("/debug/registryz?pretty", world)).body).toBe(`${JSON.stringify(plain, null, 2)}\n`);
  });
});

describe("what the server refuses", () => {
  it("a page of another site under a rebound name", async () => {
    const answer = await serve().inject({ url: "/debug/registryz", headers: { host: "evil.example" } });
    expect(answer.status).toBe(421);
    expect(JSON.parse(answer.body)).toMatchObject({ code: "SBX_HOST_REFUSED" });
  });

  it("no configured name", async () => {
    const server = serve({ allowedHosts: ["debug.shop.example"] });
    expect((await server.inject({ url: "/healthz", headers: { host: "debug.shop.example:15014" } })).status).toBe(200);
  });

  it("a foreign origin", async () => {
    const headers = { ...local, origin: "https://evil.example" };
    expect((await serve().inject({ url: "/debug/registryz", headers })).status).toBe(403);
  });

  it("a link from another site to a profile, but not to a page", async () => {
    const server = serve({ profile: true });
    const headers = { ...local, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" };
    expect((await server.inject({ url: "/debug/pprof/heap", headers })).status).toBe(403);
    expect((await server.inject({ url: "/debug", headers })).status).toBe(200);
  });

  it.each(["POST", "PUT", "DELETE", "OPTIONS"] as const)("%s", async (method) => {
    const answer = await serve().inject({ method, url: "/debug/registryz?x", headers: local });
    expect(answer.status).toBe(405);
    expect(answer.headers["allow"]).toBe("GET, HEAD");
  });

  it("a path that is not there, also as a way into the prototype", async () => {
    for (const url of ["/nothing", "/debug/__proto__", "/debug/../etc/passwd", "/v3/discovery:clusters"]) {
      const answer = await serve().inject({ url, headers: local });
      expect(answer.status).toBe(404);
      expect(JSON.parse(answer.body)).toMatchObject({ code: "SBX_NO_PAGE" });
    }
  });
});

describe("every answer", () => {
  it.each(["/healthz", "/debug", "/debug/registryz", "/nothing"])(
    "of %s forbids framing, sniffing and caching",
    async (url) => {
      const { headers } = await get(url);
      expect(headers).toMatchObject({
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "x-frame-options": "DENY",
      });
      expect(headers["content-security-policy"]).toContain("default-src 'none'");
      expect(headers["access-control-allow-origin"]).toBeUndefined();
    },
  );

  it("hides why a page failed, and tells the operator", async () => {
    const errors: string[] = [];
    const clients = (): never => {
      throw new Error("the secret reason");
    };
    const onError = (error: Error, path: string) => errors.push(`${path}: ${error.message}`);
    const answer = await get("/debug/syncz?x=1", { clients }, { onError });
    expect(answer.status).toBe(500);
    expect(answer.body).not.toContain("secret");
    expect(errors).toEqual(["/debug/syncz: the secret reason"]);
  });
});

describe("REST xDS", () => {
  const rest: NonNullable<DebugServerOptions["rest"]> = (path, body) =>
    Promise.resolve({
      status: 200,
      headers: { "content-type": "application/json" },
      body: `${path} ${body.toString()}`,
    });
  const post = (server: DebugServer, payload: string | Buffer, more: Record<string, string> = {}) =>
    server.inject({
      method: "POST",
      url: "/v3/discovery:clusters",
      headers: { host: "xds-rest", "content-type": "application/json", ...more },
      payload,
    });

  it("hands path and body on, whatever Envoy's cluster is called, and the answer back", async () => {
    const answer = await post(serve({ rest }), '{"node":1}');
    expect(answer).toMatchObject({ status: 200, body: '/v3/discovery:clusters {"node":1}' });
    expect(answer.headers["content-type"]).toBe("application/json");
  });

  it("hands an empty body on", async () => {
    expect((await post(serve({ rest }), "")).body).toBe("/v3/discovery:clusters ");
  });

  it("refuses a body that is too large", async () => {
    expect((await post(serve({ rest, restBodyLimit: 10 }), "x".repeat(11))).status).toBe(413);
  });

  it("refuses a page of another site", async () => {
    expect((await post(serve({ rest }), "{}", { origin: "http://xds-rest.evil.example" })).status).toBe(403);
  });

  it("is 404 where the handler knows no such type, and keeps a 304 as it is", async () => {
    const unknown = serve({ rest: () => Promise.resolve(undefined) });
    expect((await post(unknown, "{}")).status).toBe(404);
    const unchanged = serve({ rest: () => Promise.resolve({ status: 304, headers: {}, body: "" }) });
    expect(await post(unchanged, "{}")).toMatchObject({ status: 304, body: "" });
  });

  it("is not there without a handler", async () => {
    expect((await post(serve(), "{}")).status).toBe(404);
  });
});

describe("the API under /v1", () => {
  const echo: NonNullable<DebugServerOptions["api"]> = ({ body, headers, method, path, query, remote }) =>
    Promise.resolve({
      status: 207,
      headers: { "content-type": "application/json; charset=utf-8", "x-own": "1" },
      body: JSON.stringify({
        method,
        path,
        query: query.toString(),
        body: body.toString(),
        authorization: headers["authorization"],
        remote,
      }),
    });

  it.each(["GET", "POST", "PUT", "DELETE", "OPTIONS"] as const)("hands %s on, and the answer back", async (method) => {
    const answer = await serve({ api: echo }).inject({
      method,
      url: "/v1/migration/shop%2Forders:rollback?a=b&a=c",
      headers: { ...local, authorization: "Bearer x", "content-type": "application/json" },
      ...(method === "GET" || method === "OPTIONS" ? {} : { payload: '{"a":1}' }),
    });
    expect(answer.status).toBe(207);
    expect(answer.headers).toMatchObject({ "x-own": "1", "x-frame-options": "DENY" });
    expect(JSON.parse(answer.body)).toEqual({
      method,
      path: "/v1/migration/shop%2Forders:rollback",
      query: "a=b&a=c",
      body: method === "GET" || method === "OPTIONS" ? "" : '{"a":1}',
      authorization: "Bearer x",
      remote: "127.0.0.1",
    });
  });

  it("answers HEAD without a body", async () => {
    const answer = await serve({ api: echo }).inject({ method: "HEAD", url: "/v1/services", headers: local });
    expect(answer).toMatchObject({ status: 207, body: "" });
  });

  it("takes paths longer than other routes do", async () => {
    const path = `/v1/services/${"n".repeat(63)}/${"h".repeat(253)}`;
    const answer = await serve({ api: echo }).inject({ url: path, headers: local });
    expect(JSON.parse(answer.body)).toMatchObject({ path });
  });

  it.each([
    [16 * 1024, 207],
    [16 * 1024 + 1, 413],
  ])("takes a body of 16 KiB and no more: %i bytes", async (length, status) => {
    const answer = await serve({ api: echo }).inject({
      method: "POST",
      url: "/v1/overrides",
      headers: { ...local, "content-type": "application/json" },
      payload: "x".repeat(length),
    });
    expect(answer.status).toBe(status);
  });

  const own = { host: "localhost:15014" };
  it.each([
    ["no page asks", own, 207],
    ["a page of this server asks", { ...own, origin: "http://localhost:15014", "sec-fetch-site": "same-origin" }, 207],
    ["a person types the address", { ...own, "sec-fetch-site": "none" }, 207],
    ["the name was rebound", { host: "evil.example" }, 421],
    ["a page of another site asks", { ...own, origin: "https://evil.example" }, 403],
    ["a page of another port of this host asks", { ...own, origin: "http://localhost:3000" }, 403],
    ["a page of another name of this host asks", { ...own, origin: "http://127.0.0.1:15014" }, 403],
    ["a page without an origin asks", { ...own, origin: "null" }, 403],
    ["a form on another site was sent", { ...own, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" }, 403],
    ["a page of a sibling site asks", { ...own, "sec-fetch-site": "same-site", "sec-fetch-mode": "cors" }, 403],
  ])("writes where %s: %j is %i", async (_, headers: Record<string, string>, status) => {
    for (const method of ["POST", "DELETE"] as const) {
      const answer = await serve({ api: echo }).inject({ method, url: "/v1/overrides/1", headers });
      expect(answer.status).toBe(status);
    }
  });

  it("is read by pages on other ports of this host, and by links, but not under a rebound name", async () => {
    const server = serve({ api: echo });
    const read = async (headers: Record<string, string>) =>
      (await server.inject({ url: "/v1/services", headers })).status;
    expect(await read({ ...own, origin: "http://localhost:3000" })).toBe(207);
    expect(await read({ ...own, "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" })).toBe(207);
    expect(await read({ host: "evil.example" })).toBe(421);
  });

  it("is not there without a handler, nor where it knows nothing", async () => {
    for (const server of [serve(), serve({ api: () => Promise.resolve(undefined) })])
      for (const method of ["GET", "POST"] as const) {
        const answer = await server.inject({ method, url: "/v1/services", headers: local });
        expect(answer.status).toBe(404);
        expect(JSON.parse(answer.body)).toMatchObject({ code: "SBX_NO_PAGE" });
      }
  });

  it("hides why it failed, and tells the operator", async () => {
    const errors: string[] = [];
    const api = () => Promise.reject(new Error("the secret reason"));
    const server = serve({ api, onError: (error, path) => errors.push(`${path}: ${error.message}`) });
    const answer = await server.inject({ url: "/v1/drift?x", headers: local });
    expect(answer.status).toBe(500);
    expect(answer.body).not.toContain("secret");
    expect(errors).toEqual(["/v1/drift: the secret reason"]);
  });
});

describe("profiles", () => {
  it.each(["/debug/pprof/profile", "/debug/pprof/heap"])(
    "%s is 404 with the reason while switched off",
    async (url) => {
      const answer = await get(url);
      expect(answer.status).toBe(404);
      expect(answer.json()).toMatchObject({ code: "SBX_PROFILE_OFF" });
    },
  );

  it.each(["0", "-1", "61", "x", "NaN", "Infinity"])("refuse seconds=%s", async (seconds) => {
    expect((await get(`/debug/pprof/profile?seconds=${seconds}`, {}, { profile: true })).status).toBe(400);
  });

  it("take one at a time", async () => {
    const server = serve({ profile: true });
    const ask = (url: string) => server.inject({ url, headers: local });
    const first = ask("/debug/pprof/profile?seconds=0.2");
    const second = await ask("/debug/pprof/profile?seconds=0.2");
    expect(second.status).toBe(409);
    const profile = await first;
    expect(profile.headers["content-disposition"]).toContain("signalbox.cpuprofile");
    expect((JSON.parse(profile.body) as { nodes: unknown[] }).nodes.length).toBeGreaterThan(0);
    expect((await ask("/debug/pprof/profile?seconds=0.01")).status).toBe(200);
  });

  it("stop when the client has gone", async () => {
    const server = serve({ profile: true });
    const { url } = await server.listen();
    const call = httpRequest(`${url}/debug/pprof/profile?seconds=60`);
    call.on("error", () => {});
    call.end();
    const ask = (seconds: string) => server.inject({ url: `/debug/pprof/profile?seconds=${seconds}`, headers: local });
    await expect.poll(async () => (await ask("0.001")).status, { timeout: 5000 }).toBe(409);
    call.destroy();
    await expect.poll(async () => (await ask("0.001")).status, { timeout: 5000 }).toBe(200);
  });

  it("include the heap", { timeout: 60_000 }, async () => {
    const server = serve({ profile: true });
    const { url } = await server.listen();
    const response = await fetch(`${url}/debug/pprof/heap`);
    const text = await response.text();
    expect(response.headers.get("content-disposition")).toContain("signalbox.heapsnapshot");
    expect(text.startsWith('{"snapshot":')).toBe(true);
    expect(text.endsWith("}")).toBe(true);
  });
});

describe("a listening server", () => {
  it("answers on a free loopback port, streams a large catalog, and is gone after close", async () => {
    const many = catalog(Array.from({ length: 3000 }, (_, i) => entry(`s${i}.example`)));
    const server = serve({ sources: sources({ catalog: () => many }) });
    const { url, host, port } = await server.listen();
    expect(host).toBe("127.0.0.1");
    expect(port).toBeGreaterThan(0);
    expect(await (await fetch(`${url}/debug/registryz`)).json()).toHaveLength(3000);
    await server.close();
    await server.close();
    await expect(fetch(`${url}/healthz`)).rejects.toThrow();
  });

  it("answers over IPv6", async () => {
    const { url } = await serve({ host: "::1" }).listen();
    expect(url).toMatch(/^http:\/\/\[::1\]:\d+$/);
    expect(await (await fetch(`${url}/healthz`)).text()).toBe("ok\n");
  });

  it("rejects when the port is taken", async () => {
    const { port } = await serve().listen();
    await expect(serve({ port }).listen()).rejects.toMatchObject({ code: "EADDRINUSE" });
  });

  it("closes although a client never reads its answer", async () => {
    const many = catalog(Array.from({ length: 20_000 }, (_, i) => entry(`s${i}.example`)));
    const server = serve({ sources: sources({ catalog: () => many }) });
    const { port } = await server.listen();
    const socket = await opened(port);
    socket.pause();
    socket.write("GET /debug/registryz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    socket.resume();
    await once(socket, "data");
    socket.pause();
    await server.close();
    socket.destroy();
  });

  it("survives garbage and takes no more connections than it may", async () => {
    const { port, url } = await serve({ maxConnections: 2 }).listen();
    const garbage = await opened(port);
    garbage.write("\u0000\u0001 nonsense\r\n\r\n");
    const [answer] = (await once(garbage, "data")) as [Buffer];
    expect(answer.toString()).toContain("400");
    const two = await Promise.all([opened(port), opened(port)]);
    const third = connect(port, "127.0.0.1");
    third.on("error", () => {});
    await once(third, "close");
    for (const socket of [garbage, ...two]) socket.destroy();
    await expect
      .poll(
        () =>
          fetch(`${url}/healthz`).then(
            (r) => r.status,
            () => 0,
          ),
        { timeout: 5000 },
      )
      .toBe(200);
  });
});

async function opened(port: number): Promise<Socket> {
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  return socket;
}
