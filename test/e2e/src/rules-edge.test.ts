import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createAuthority, freePorts, waitFor, type CertificateFiles, type RunningEnvoy } from "@signalbox/test-servers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { call, calls, shares, type Call } from "./call.ts";
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
  let httpPort: number, tlsPort: number, passPort: number, tcpPort: number, externalPort: number;

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
    [httpPort = 0, tlsPort = 0, passPort = 0, tcpPort = 0, externalPort = 0] = await freePorts(5);
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
        { name: "queue", protocol: "TCP", port: tcpPort, endpoints: [other] },
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
        server(tcpPort, "TCP", ["*"]),
      ),
      atEdge("api", ["api.example.com"], { tls: [pass(["api.example.com"], "vault", externalPort)] }),
      atEdge("details", ["details.internal"], { tls: [pass(["details.internal"], "details", shop.port)] }),
      atEdge("queue", ["*"], {
        tcp: [{ match: [{ port: tcpPort }], route: [{ destination: { host: "queue", port: { number: tcpPort } } }] }],
      }),
    );
    expect((await call(overTls(passPort, "api.example.com"))).echo).toMatchObject({
      version: "tls",
      serverName: "api.example.com",
    });
    const [cert, key] = await Promise.all([readFile(caller.certFile, "utf8"), readFile(caller.keyFile, "utf8")]);
    const own = { serverName: "details.internal", ca, cert, key };
    expect((await call(overTls(passPort, "details.internal", { tls: own }))).echo).toMatchObject({
      version: "mtls",
      caller: "caller",
    });
    expect((await call(overTls(passPort, "books.example.com"))).status).toBe(0);
  });

  it("leave for external hosts that ServiceEntries name, by server name, as bytes and by TLS that the sidecar begins", async () => {
    const [sniPort = 0, bytesPort = 0] = await freePorts(2);
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
      entry("bytes", "tcp.example.com", { number: bytesPort, name: "out", protocol: "TCP" }, other),
      entry("web", "news.example.com", { number: shop.port, name: "out", protocol: "HTTP" }, secure),
      object("DestinationRule", "web", {
        host: "news.example.com",
        trafficPolicy: { tls: { mode: "SIMPLE", caCertificates: caFile, sni: "news.example.com" } },
      }),
    );
    expect((await call(overTls(sniPort, "api.example.com"))).echo).toMatchObject({ version: "tls" });
    expect((await call(overTls(sniPort, "else.example.com"))).status).toBe(0);
    expect((await call({ port: bytesPort, host: "whatever" })).echo).toMatchObject({ service: "reviews" });
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

  it("were all by configurations that nobody refused", () => shop.expectNoRefusal());
});
