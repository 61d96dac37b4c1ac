import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAuthority, freePorts, waitFor, type CertificateFiles, type RunningEnvoy } from "@signalbox/test-servers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { call, calls, shares, type Call, type Reply } from "./call.ts";
import { startEcho, type EchoBackend } from "./echo-backend.ts";
import { destinationRule, object, startShop, to, type Shop } from "./rules.ts";
import { hostname } from "./services.ts";

/** Names of the clusters that Envoy has now. */
async function activeClusters(envoy: RunningEnvoy): Promise<readonly string[]> {
  const { configs } = await envoy.configDump();
  const active = configs.flatMap((part) => (part["dynamic_active_clusters"] ?? []) as { cluster: { name: string } }[]);
  return active.map(({ cluster }) => cluster.name);
}

describe("connections by rules from files", () => {
  const stops: (() => Promise<unknown>)[] = [];
  const backends: EchoBackend[] = [];
  let dir: string, caFile: string, ca: string;
  let books: CertificateFiles, news: CertificateFiles, caller: CertificateFiles, inner: CertificateFiles;
  let plain: EchoBackend, second: EchoBackend, other: EchoBackend, mutual: EchoBackend, secure: EchoBackend;
  let shop: Shop;
  let httpPort: number, tlsPort: number, passPort: number, bytesPort: number;
  let queuePort: number, externalPort: number;

  const start = async (service: string, version: string, tls?: CertificateFiles, callers?: string) => {
    const files = tls && { cert: tls.certFile, key: tls.keyFile, ...(callers !== undefined && { ca: callers }) };
    const backend = await startEcho({ service, version, ...(files && { tls: files }) });
    stops.push(() => backend.stop());
    backends.push(backend);
    return backend;
  };

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "signalbox-edge-"));
    stops.push(() => rm(dir, { recursive: true, force: true }));
    const authority = await createAuthority(dir);
    ({ caFile } = authority);
    ca = await readFile(caFile, "utf8");
    const issue = (name: string, ...names: string[]) =>
      authority.issue(name, { commonName: name, alternativeNames: names.map((one) => `DNS:${one}`) });
    books = await issue("books", "books.example.com");
    news = await issue("news", "news.example.com", "api.example.com");
    caller = await issue("caller");
    inner = await issue("inner", "details.internal");
    plain = await start("productpage", "v1");
    second = await start("productpage", "v2");
    other = await start("reviews", "v1");
    mutual = await start("details", "mtls", inner, caFile);
    secure = await start("external", "tls", news);
    [httpPort = 0, tlsPort = 0, passPort = 0, bytesPort = 0, queuePort = 0, externalPort = 0] = await freePorts(6);
    shop = await startShop({
      router: true,
      mode: "sotw",
      services: [
        {
          name: "productpage",
          endpoints: [plain, second].map(({ port, version }) => ({ port, version })),
        },
        { name: "reviews", endpoints: [other] },
        { name: "details", endpoints: [mutual] },
        { name: "vault", protocol: "TLS", port: externalPort, endpoints: [secure] },
        { name: "queue", protocol: "TCP", port: queuePort, endpoints: [other] },
      ],
    });
    stops.push(() => shop.stop());
  });
  afterAll(async () => {
    for (const stop of stops.reverse()) await stop();
  });

  const mesh = (name: string, more: Partial<Call> = {}): Call => ({ port: shop.port, host: hostname(name), ...more });
  const overTls = (port: number, serverName: string, more: Partial<Call> = {}): Call => ({
    ...{ port, host: serverName, tls: { serverName, ca } },
    ...more,
  });

  /** A server of a Gateway; it binds loopback alone. */
  const server = (number: number, protocol: string, hosts: readonly string[], tls?: object) => ({
    port: { number, name: `${protocol.toLowerCase()}-${hosts[0] ?? ""}`, protocol },
    bind: "127.0.0.1",
    hosts,
    ...(tls && { tls }),
  });
  const gateway = (...servers: readonly object[]) =>
    object("Gateway", "edge", { selector: { istio: "edge" }, servers });
  const atEdge = (name: string, hosts: readonly string[], spec: object) =>
    object("VirtualService", name, { hosts, gateways: ["edge"], ...spec });
  const files = ({ certFile, keyFile }: CertificateFiles) => ({ serverCertificate: certFile, privateKey: keyFile });

  it("prove themselves to a backend by certificates in files", async () => {
    const mutualTls = {
      mode: "MUTUAL",
      ...{ clientCertificate: caller.certFile, privateKey: caller.keyFile, caCertificates: caFile },
      sni: "details.internal",
    };
    const rule = (subjectAltNames: readonly string[]) =>
      destinationRule("details", [], { tls: { ...mutualTls, subjectAltNames } });
    await shop.apply();
    expect((await call(mesh("details"))).status).toBe(503);
    await shop.apply(rule(["details.internal"]));
    expect((await call(mesh("details"))).echo).toMatchObject({
      version: "mtls",
      caller: "caller",
      serverName: "details.internal",
    });
    await shop.apply(rule(["somebody.else"]));
    expect((await call(mesh("details"))).status).toBe(503);
  });

  it("come in by HTTP and go where the routes of the gateway's hosts say", async () => {
    const split = [to("productpage", "v1", 50), to("productpage", "v2", 50)];
    const under = (prefix: string) => [{ uri: { prefix } }];
    await shop.apply(
      destinationRule("productpage", ["v1", "v2"]),
      gateway(server(httpPort, "HTTP", ["books.example.com", "*.news.example.com"])),
      atEdge("books", ["books.example.com"], {
        http: [{ match: under("/second"), route: [to("productpage", "v2")] }, { route: split }],
      }),
      atEdge("news", ["*.news.example.com"], { http: [{ route: [to("reviews")] }] }),
    );
    const at = (host: string, path = "/") => call({ port: httpPort, host, path });
    expect((await at("books.example.com", "/second/a")).echo).toMatchObject({ version: "v2", path: "/second/a" });
    expect(Object.keys(shares(await calls(60, { port: httpPort, host: "books.example.com" })))).toEqual(["v1", "v2"]);
    expect((await at("de.news.example.com")).echo).toMatchObject({ service: "reviews" });
    expect((await at("else.example.com")).status).toBe(404);
  });

  it("come in by TLS with certificates in files, by server name, and by HTTP only to be redirected", async () => {
    await shop.apply(
      gateway(
        server(httpPort, "HTTP", ["books.example.com"], { httpsRedirect: true }),
        server(tlsPort, "HTTPS", ["books.example.com"], { mode: "SIMPLE", ...files(books) }),
        server(tlsPort, "HTTPS", ["news.example.com"], { mode: "MUTUAL", ...files(news), caCertificates: caFile }),
      ),
      atEdge("books", ["books.example.com"], { http: [{ route: [to("productpage")] }] }),
      atEdge("news", ["news.example.com"], { http: [{ route: [to("reviews")] }] }),
    );
    expect(await call({ port: httpPort, host: "books.example.com", path: "/a" })).toMatchObject({
      status: 301,
      headers: { location: "https://books.example.com/a" },
    });
    expect((await call(overTls(tlsPort, "books.example.com"))).echo).toMatchObject({
      service: "productpage",
      headers: { "x-forwarded-proto": "https" },
    });
    const stranger = await call(overTls(tlsPort, "news.example.com"));
    expect(stranger.status).toBe(0);
    const [cert, key] = await Promise.all([readFile(caller.certFile, "utf8"), readFile(caller.keyFile, "utf8")]);
    const known = { serverName: "news.example.com", ca, cert, key };
    expect((await call(overTls(tlsPort, "news.example.com", { tls: known }))).echo).toMatchObject({
      service: "reviews",
      headers: { "x-forwarded-client-cert": expect.stringContaining("CN=caller") as string },
    });
    // The certificate of one host is not that of the other, and a name that no server has gets none.
    expect((await call(overTls(tlsPort, "else.example.com"))).status).toBe(0);
  });

  it("are passed on undecrypted by server name, and as bytes", async () => {
    const pass = (sniHosts: readonly string[], host: string, port: number) => ({
      match: [{ port: passPort, sniHosts }],
      route: [{ destination: { host, port: { number: port } } }],
    });
    await shop.apply(
      gateway(
        server(passPort, "TLS", ["api.example.com", "details.internal"], { mode: "PASSTHROUGH" }),
        server(bytesPort, "TCP", ["*"]),
      ),
      atEdge("api", ["api.example.com"], { tls: [pass(["api.example.com"], "vault", externalPort)] }),
      atEdge("details", ["details.internal"], { tls: [pass(["details.internal"], "details", shop.port)] }),
      atEdge("queue", ["*"], {
        tcp: [
          { match: [{ port: bytesPort }], route: [{ destination: { host: "queue", port: { number: queuePort } } }] },
        ],
      }),
    );
    expect((await call(overTls(passPort, "api.example.com"))).echo).toMatchObject({
      version: "tls",
      serverName: "api.example.com",
    });
    expect((await call({ port: bytesPort, host: "whatever" })).echo).toMatchObject({ service: "reviews" });
    const [cert, key] = await Promise.all([readFile(caller.certFile, "utf8"), readFile(caller.keyFile, "utf8")]);
    const own = { serverName: "details.internal", ca, cert, key };
    expect((await call(overTls(passPort, "details.internal", { tls: own }))).echo).toMatchObject({
      version: "mtls",
      caller: "caller",
    });
    expect((await call(overTls(passPort, "books.example.com"))).status).toBe(0);
  });

  it("leave for external hosts that ServiceEntries name, by server name, as bytes and by TLS that the sidecar begins", async () => {
    const [sniPort = 0, outPort = 0] = await freePorts(2);
    const entry = (name: string, host: string, port: object, backend: EchoBackend) =>
      object("ServiceEntry", name, {
        hosts: [host],
        location: "MESH_EXTERNAL",
        resolution: "STATIC",
        ports: [port],
        endpoints: [{ address: "127.0.0.1", ports: { out: backend.port } }],
      });
    await shop.apply(
      entry("api", "api.example.com", { number: sniPort, name: "out", protocol: "TLS" }, secure),
      entry("details", "details.internal", { number: sniPort, name: "out", protocol: "TLS" }, mutual),
      entry("bytes", "tcp.example.com", { number: outPort, name: "out", protocol: "TCP" }, other),
      entry("web", "news.example.com", { number: shop.port, name: "out", protocol: "HTTP" }, secure),
      object("DestinationRule", "web", {
        host: "news.example.com",
        trafficPolicy: { tls: { mode: "SIMPLE", caCertificates: caFile, sni: "news.example.com" } },
      }),
    );
    expect((await call(overTls(sniPort, "api.example.com"))).echo).toMatchObject({ version: "tls" });
    expect((await call(overTls(sniPort, "else.example.com"))).status).toBe(0);
    expect((await call({ port: outPort, host: "whatever" })).echo).toMatchObject({ service: "reviews" });
    expect((await call({ port: shop.port, host: "news.example.com" })).echo).toMatchObject({
      version: "tls",
      serverName: "news.example.com",
    });
  });

  it("reach only what a Sidecar imports, until it is gone", async () => {
    const names = ["productpage", "reviews", "details", "vault", "queue"];
    const known = async () => {
      const clusters = await activeClusters(shop.sidecar);
      return names.filter((name) => clusters.some((cluster) => cluster.endsWith(`||${hostname(name)}`)));
    };
    await shop.apply();
    expect(await known()).toEqual(names);
    const hosts = ["reviews", "generation"].map((name) => `./${hostname(name)}`);
    await shop.apply(object("Sidecar", "default", { egress: [{ hosts }] }));
    // Clusters go after the routes that led to them.
    await waitFor(async () => (await known()).length === 1, { what: "the clusters to go" });
    expect(await known()).toEqual(["reviews"]);
    expect((await call(mesh("reviews"))).echo).toMatchObject({ service: "reviews" });
    expect((await call(mesh("productpage"))).status).toBe(502);
    await shop.apply();
    expect((await call(mesh("productpage"))).echo).toMatchObject({ service: "productpage" });
  });

  it("pass through a filter in Lua that an EnvoyFilter puts into the proxies that it selects", async () => {
    const lua = (context: string, word: string) => ({
      applyTo: "HTTP_FILTER",
      match: {
        context,
        listener: {
          filterChain: {
            filter: {
              name: "envoy.filters.network.http_connection_manager",
              subFilter: { name: "envoy.filters.http.router" },
            },
          },
        },
      },
      patch: {
        operation: "INSERT_BEFORE",
        value: {
          name: "words",
          typed_config: {
            "@type": "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua",
            default_source_code: {
              inline_string: `function envoy_on_response(handle) handle:headers():add("x-word", "${word}") end`,
            },
          },
        },
      },
    });
    const route = [
      gateway(server(httpPort, "HTTP", ["books.example.com"])),
      atEdge("books", ["books.example.com"], { http: [{ route: [to("productpage")] }] }),
    ];
    await shop.apply(
      ...route,
      object("EnvoyFilter", "mesh", { configPatches: [lua("SIDECAR_OUTBOUND", "mesh")] }),
      object("EnvoyFilter", "edge", {
        workloadSelector: { labels: { istio: "edge" } },
        configPatches: [lua("GATEWAY", "edge")],
      }),
    );
    expect((await call(mesh("productpage"))).headers).toMatchObject({ "x-word": "mesh" });
    expect((await call({ port: httpPort, host: "books.example.com" })).headers).toMatchObject({ "x-word": "edge" });
    await shop.apply(...route);
    expect((await call(mesh("productpage"))).headers).not.toHaveProperty("x-word");
    expect((await call({ port: httpPort, host: "books.example.com" })).headers).not.toHaveProperty("x-word");
  });

  it("are ended by TLS and go on as bytes, and lead a mesh's own callers to the cluster that they name", async () => {
    const [autoPort = 0] = await freePorts(1);
    await shop.apply(
      gateway(
        server(bytesPort, "TLS", ["books.example.com"], { mode: "SIMPLE", ...files(books) }),
        server(autoPort, "TLS", ["*.svc.cluster.local"], { mode: "AUTO_PASSTHROUGH" }),
      ),
      atEdge("bytes", ["books.example.com"], {
        tcp: [
          { match: [{ port: bytesPort }], route: [{ destination: { host: "queue", port: { number: queuePort } } }] },
        ],
      }),
    );
    expect((await call(overTls(bytesPort, "books.example.com"))).echo).toMatchObject({ service: "reviews" });
    expect((await call(overTls(bytesPort, "news.example.com"))).status).toBe(0);
    const named = (serverName: string, protocols = ["istio", "http/1.1"]) => ({
      ...{ port: autoPort, host: "news.example.com" },
      tls: { serverName, ca, ALPNProtocols: protocols, checkServerIdentity: () => undefined },
    });
    const vault = `outbound_.${externalPort}_._.${hostname("vault")}`;
    expect((await call(named(vault))).echo).toMatchObject({ version: "tls", serverName: vault });
    expect((await call(named(vault, ["http/1.1"]))).status).toBe(0);
    expect((await call(named(`outbound_.${externalPort}_._.nobody.shop.svc.cluster.local`))).status).toBe(0);
  });

  it("do not fail at the edge while gateways, routes and filters change", async () => {
    const rules = (version: string, hosts: readonly string[], ...more: readonly object[]) => [
      destinationRule("productpage", [version]),
      gateway(
        server(httpPort, "HTTP", hosts),
        server(tlsPort, "HTTPS", ["news.example.com"], { mode: "SIMPLE", ...files(news) }),
      ),
      atEdge("books", ["books.example.com", "news.example.com"], { http: [{ route: [to("productpage", version)] }] }),
      ...more,
    ];
    const header = (word: string) =>
      object("EnvoyFilter", "edge", {
        configPatches: [
          {
            applyTo: "VIRTUAL_HOST",
            match: { context: "GATEWAY" },
            patch: {
              operation: "MERGE",
              value: { response_headers_to_add: [{ header: { key: "x-word", value: word } }] },
            },
          },
          {
            applyTo: "NETWORK_FILTER",
            match: {
              context: "GATEWAY",
              listener: { filterChain: { filter: { name: "envoy.filters.network.http_connection_manager" } } },
            },
            patch: {
              operation: "MERGE",
              value: {
                typed_config: {
                  "@type":
                    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                  server_name: word,
                },
              },
            },
          },
        ],
      });
    await shop.apply(...rules("v1", ["books.example.com"]));
    let running = true;
    const replies: Reply[] = [];
    // Each call has a connection of its own: half of them by TLS.
    const loop = async (one: Call) => {
      while (running) replies.push(await call(one));
    };
    const loops = [loop({ port: httpPort, host: "books.example.com" }), loop(overTls(tlsPort, "news.example.com"))];
    await shop.apply(...rules("v2", ["books.example.com", "more.example.com"]));
    await shop.apply(...rules("v1", ["*.example.com"], header("one")));
    await shop.apply(...rules("v2", ["*.example.com"], header("two")));
    const last = await call({ port: httpPort, host: "books.example.com" });
    expect(last).toMatchObject({ headers: { "x-word": "two", server: "two" }, echo: { version: "v2" } });
    await shop.apply(...rules("v1", ["books.example.com"]));
    running = false;
    await Promise.all(loops);
    expect(replies.filter(({ status }) => status !== 200).slice(0, 3)).toEqual([]);
    expect(replies.length).toBeGreaterThan(20);
    // Without its Gateway nobody listens.
    await shop.apply();
    expect((await call({ port: httpPort, host: "books.example.com" })).status).toBe(0);
  });

  it("were all by configurations that nobody refused", () => shop.expectNoRefusal());
});
