import { adsBootstrap, freePorts, startEnvoy, waitFor, type RunningEnvoy } from "@signalbox/test-servers";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { call, calls, shares, type Call } from "./call.ts";
import { startEcho, type EchoBackend } from "./echo-backend.ts";
import { destinationRule, object, startShop, to, virtualService, type Shop } from "./rules.ts";
import { hostname } from "./services.ts";

describe("what rules match, limit and prefer", () => {
  let v1: EchoBackend, v2: EchoBackend;
  let shop: Shop;
  let plain: RunningEnvoy, captured: RunningEnvoy;
  let tcpPort: number, proxyHttpPort: number;

  beforeAll(async () => {
    [v1, v2] = await Promise.all([
      startEcho({ service: "reviews", version: "v1" }),
      startEcho({ service: "reviews", version: "v2" }),
    ]);
    const [proxyListenPort = 0, proxyInboundListenPort = 0, ...ports] = await freePorts(4);
    [tcpPort = 0, proxyHttpPort = 0] = ports;
    const endpoints = [
      { port: v1.port, version: "v1", locality: "eu/eu-1" },
      { port: v2.port, version: "v2", locality: "us/us-1" },
    ];
    shop = await startShop({
      labels: { app: "caller" },
      locality: { region: "eu", zone: "eu-1" },
      config: { mesh: { proxyHttpPort, proxyListenPort, proxyInboundListenPort } },
      services: [
        { name: "reviews", endpoints },
        { name: "queue", protocol: "TCP", port: tcpPort, endpoints },
      ],
    });
    const start = (id: string, metadata: Readonly<Record<string, unknown>>) => {
      const bootstrap = adsBootstrap({ node: { id, metadata }, xdsPort: shop.daemon.xdsPort, mode: "sotw" });
      return startEnvoy({ bootstrap });
    };
    plain = await start("some-envoy", { LISTENER_ADDRESS: "127.0.0.2" });
    captured = await start("sidecar~127.0.0.1~web.shop~shop.svc.cluster.local", {
      ...{ NAMESPACE: "shop", LABELS: { app: "caller" } },
      LISTENER_ADDRESS: "127.0.0.3",
    });
  });
  beforeEach(() => {
    v1.behave();
    v2.behave();
  });
  afterAll(async () => {
    await captured.stop();
    await plain.stop();
    await shop.stop();
    await Promise.all([v1.stop(), v2.stop()]);
  });

  const at = (more: Partial<Call> = {}): Call => ({ port: shop.port, host: hostname("reviews"), ...more });
  const versions = (policy?: object) => destinationRule("reviews", ["v1", "v2"], policy);
  const version = async (more: Partial<Call>) => (await call(at(more))).echo?.version;

  it("is of paths, methods, headers, parameters and callers", async () => {
    const second = (match: object) => ({ match: [match], route: [to("reviews", "v2")] });
    await shop.apply(
      versions(),
      virtualService("reviews", {
        http: [
          second({ uri: { exact: "/exact" } }),
          second({ uri: { regex: "/[0-9]+/end" } }),
          second({ uri: { prefix: "/Upper" }, ignoreUriCase: true }),
          second({ uri: { prefix: "/put" }, method: { exact: "PUT" } }),
          second({ uri: { prefix: "/beta" }, headers: { cookie: { regex: ".*beta=1.*" } } }),
          second({ uri: { prefix: "/no-bots" }, withoutHeaders: { "x-bot": {} } }),
          second({ uri: { prefix: "/query" }, queryParams: { page: { exact: "2" } } }),
          second({ uri: { prefix: "/caller" }, sourceLabels: { app: "caller" }, sourceNamespace: "shop" }),
          second({ uri: { prefix: "/stranger" }, sourceLabels: { app: "stranger" } }),
          { route: [to("reviews", "v1")] },
        ],
      }),
    );
    const cases: readonly (readonly [Partial<Call>, string])[] = [
      [{ path: "/exact" }, "v2"],
      [{ path: "/exactly" }, "v1"],
      [{ path: "/12/end" }, "v2"],
      [{ path: "/12/end/more" }, "v1"],
      [{ path: "/uppER/a" }, "v2"],
      [{ path: "/put", method: "PUT" }, "v2"],
      [{ path: "/put" }, "v1"],
      [{ path: "/beta", headers: { cookie: "a=b; beta=1" } }, "v2"],
      [{ path: "/beta" }, "v1"],
      [{ path: "/no-bots" }, "v2"],
      [{ path: "/no-bots", headers: { "x-bot": "" } }, "v1"],
      [{ path: "/query?page=2" }, "v2"],
      [{ path: "/query?page=3" }, "v1"],
      [{ path: "/caller" }, "v2"],
      [{ path: "/stranger" }, "v1"],
    ];
    const seen = await Promise.all(cases.map(async ([request]) => [request, await version(request)]));
    expect(seen).toEqual(cases);
  });

  it("is of requests that a rule of another object goes on with", async () => {
    await shop.apply(
      versions(),
      virtualService("reviews", {
        http: [
          { match: [{ uri: { prefix: "/team" } }], delegate: { name: "team", namespace: "shop" } },
          { route: [to("reviews", "v1")] },
        ],
      }),
      object("VirtualService", "team", {
        http: [
          { match: [{ uri: { prefix: "/team/new" } }], route: [to("reviews", "v2")] },
          { route: [to("reviews", "v1")], headers: { response: { set: { "x-team": "ours" } } } },
        ],
      }),
    );
    expect(await version({ path: "/team/new" })).toBe("v2");
    expect((await call(at({ path: "/team" }))).headers).toMatchObject({ "x-team": "ours" });
    expect((await call(at({ path: "/" }))).headers).not.toHaveProperty("x-team");
  });

  it("is the same for a plain Envoy and at a port for all services", async () => {
    await shop.apply(versions(), virtualService("reviews", { http: [{ route: [to("reviews", "v2")] }] }));
    const everywhere = [
      at({ port: proxyHttpPort, host: `${hostname("reviews")}:${shop.port}` }),
      at({ address: "127.0.0.2" }),
      at(),
    ];
    for (const one of everywhere)
      await waitFor(async () => JSON.stringify(shares(await calls(10, one))) === '{"v2":100}', {
        what: "the rule at every proxy",
      });
  });

  it("is of connections, by parts", async () => {
    const rule = (first: number) =>
      object("VirtualService", "queue", {
        hosts: ["queue"],
        tcp: [{ route: [to("queue", "v1", first), to("queue", "v2", 100 - first)] }],
      });
    const parts = async () =>
      shares(await Promise.all(Array.from({ length: 40 }, () => call({ port: tcpPort, host: "any" }))));
    await shop.apply(destinationRule("queue", ["v1", "v2"]), rule(0));
    expect(await parts()).toEqual({ v2: 100 });
    await shop.apply(destinationRule("queue", ["v1", "v2"]), rule(100));
    expect(await parts()).toEqual({ v1: 100 });
    await shop.apply(destinationRule("queue", ["v1", "v2"]), rule(50));
    expect(Object.keys(await parts())).toEqual(["v1", "v2"]);
  });

  it("is the time of each try", async () => {
    let tries = 0;
    v1.behave(() => (tries++ === 0 ? { silent: true } : {}));
    await shop.apply(
      versions(),
      virtualService("reviews", {
        http: [
          {
            timeout: "5s",
            retries: { attempts: 2, perTryTimeout: "0.2s", retryOn: "gateway-error,connect-failure", backoff: "1ms" },
            route: [to("reviews", "v1")],
          },
        ],
      }),
    );
    const { echo, took } = await call(at());
    expect(echo?.version).toBe("v1");
    expect(took).toBeGreaterThanOrEqual(190);
    expect(tries).toBe(2);
  });

  it("is how many requests may wait", async () => {
    const pool = { tcp: { maxConnections: 1 }, http: { http1MaxPendingRequests: 1 } };
    await shop.apply(
      versions({ connectionPool: pool }),
      virtualService("reviews", {
        http: [{ timeout: "0.5s", retries: { attempts: 0 }, route: [to("reviews", "v1")] }],
      }),
    );
    expect((await call(at())).status).toBe(200);
    v1.behave(() => ({ silent: true }));
    // The one connection has one request and one waits for it.
    const replies = await calls(8, at(), 8);
    const full = replies.filter(({ status }) => status === 503);
    expect(replies.map(({ status }) => status).filter((status) => status !== 503)).toEqual([504, 504]);
    for (const { headers } of full) expect(headers).toMatchObject({ "x-envoy-overloaded": "true" });
  });

  it("is an endpoint that a cookie keeps", async () => {
    const loadBalancer = { consistentHash: { httpCookie: { name: "stick", ttl: "60s" } } };
    const localityLbSetting = { enabled: false };
    await shop.apply(versions({ loadBalancer: { ...loadBalancer, localityLbSetting } }));
    const first = await call(at());
    const [cookie = ""] = first.headers["set-cookie"] ?? [];
    expect(cookie).toMatch(/^stick="[^"]+"; Max-Age=60; /);
    const [value = ""] = cookie.split(";");
    const again = await calls(40, at({ headers: { cookie: value } }));
    expect(shares(again)).toEqual({ [first.echo?.version ?? "none"]: 100 });
    expect(Object.keys(shares(await calls(60, at())))).toEqual(["v1", "v2"]);
  });

  it("is the caller's own region, as long as there is somebody", async () => {
    const outlierDetection = {
      consecutive5xxErrors: 2,
      interval: "0.2s",
      baseEjectionTime: "60s",
      maxEjectionPercent: 100,
    };
    await shop.apply(versions({ outlierDetection }));
    expect(shares(await calls(40, at()))).toEqual({ v1: 100 });
    v1.behave(() => ({ status: 500 }));
    await calls(2, at(), 1);
    expect(shares(await calls(40, at()))).toEqual({ v2: 100 });
    await shop.apply(
      versions({
        loadBalancer: { localityLbSetting: { distribute: [{ from: "eu/*", to: { "eu/*": 20, "us/*": 80 } }] } },
      }),
    );
    const { v2: far = 0 } = shares(await calls(1500, at()));
    expect(Math.abs(far - 80)).toBeLessThan(5);
  });

  it("was all by configurations that nobody refused", async () => {
    expect([await plain.nacks(), await captured.nacks()]).toEqual([0, 0]);
    expect(JSON.stringify(await captured.configDump())).toContain(`outbound|${shop.port}|v2|${hostname("reviews")}`);
    await shop.expectNoRefusal();
  });
});
