import { startTraffic, waitFor } from "@signalbox/test-servers";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { call, calls, shares, type Call } from "./call.ts";
import { startEcho, type EchoBackend } from "./echo-backend.ts";
import { destinationRule, startShop, to, virtualService, type Shop } from "./rules.ts";
import { hostname } from "./services.ts";

const versions = {
  productpage: ["v1"],
  details: ["v1", "v2"],
  reviews: ["v1", "v2", "v3"],
  ratings: ["v1", "v2"],
} as const;
type Name = keyof typeof versions;
const names = Object.keys(versions) as Name[];

describe("calls through a sidecar by rules from files", () => {
  const backends = new Map<string, EchoBackend>();
  let shop: Shop;

  beforeAll(async () => {
    for (const service of names)
      for (const version of versions[service])
        backends.set(`${service} ${version}`, await startEcho({ service, version }));
    const services = names.map((name) => ({
      name,
      endpoints: versions[name].map((version) => ({ port: backend(name, version).port, version })),
    }));
    shop = await startShop({ services });
  });
  beforeEach(() => {
    for (const one of backends.values()) one.behave();
  });
  afterAll(async () => {
    await shop.stop();
    for (const one of backends.values()) await one.stop();
  });

  function backend(name: Name, version: string): EchoBackend {
    const found = backends.get(`${name} ${version}`);
    if (found === undefined) throw new Error(`no backend ${name} ${version}`);
    return found;
  }
  const at = (name: Name, more: Partial<Call> = {}): Call => ({ port: shop.port, host: hostname(name), ...more });
  const seenBy = (name: Name, version: string) => backend(name, version).seen.length;
  const subsets = (name: Name, policy?: object) => destinationRule(name, versions[name], policy);

  it("go to one version of each service", async () => {
    const rules = names.flatMap((name) => [
      subsets(name),
      virtualService(name, { http: [{ route: [to(name, "v1")] }] }),
    ]);
    await shop.apply(...rules);
    for (const name of names) expect(shares(await calls(30, at(name)))).toEqual({ v1: 100 });
  });

  it("go to the version that is for a user, by a header", async () => {
    const jason = { match: [{ headers: { "end-user": { exact: "jason" } } }], route: [to("reviews", "v2")] };
    await shop.apply(
      subsets("reviews"),
      virtualService("reviews", { http: [jason, { route: [to("reviews", "v1")] }] }),
    );
    expect(shares(await calls(30, at("reviews", { headers: { "end-user": "jason" } })))).toEqual({ v2: 100 });
    expect(shares(await calls(30, at("reviews", { headers: { "end-user": "jane" } })))).toEqual({ v1: 100 });
    expect(shares(await calls(30, at("reviews")))).toEqual({ v1: 100 });
  });

  it.each([
    [80, 20],
    [90, 10],
    [50, 50],
  ])("are divided %i to %i", async (first, second) => {
    const route = [to("reviews", "v1", first), to("reviews", "v3", second)];
    await shop.apply(subsets("reviews"), virtualService("reviews", { http: [{ route }] }));
    // Four points are at least four standard deviations of this many.
    const { v1 = 0, v3 = 0 } = shares(await calls(2500, at("reviews")));
    expect(v1 + v3).toBe(100);
    expect(Math.abs(v1 - first)).toBeLessThan(4);
  });

  it("are delayed and aborted in the parts that a rule says", async () => {
    const late = { delay: { percentage: { value: 50 }, fixedDelay: "0.4s" } };
    const never = { abort: { percentage: { value: 30 }, httpStatus: 555 } };
    const jason = [{ headers: { "end-user": { exact: "jason" } } }];
    await shop.apply(
      subsets("ratings"),
      virtualService("ratings", {
        http: [
          { match: jason, fault: late, route: [to("ratings", "v1")] },
          { fault: never, route: [to("ratings", "v1")] },
        ],
      }),
    );
    const slow = await calls(200, at("ratings", { headers: { "end-user": "jason" } }), 50);
    expect(shares(slow)).toEqual({ v1: 100 });
    const delayed = slow.filter(({ took }) => took >= 395).length;
    expect(Math.abs(delayed / 200 - 0.5)).toBeLessThan(0.18);
    const aborted = await calls(1000, at("ratings"));
    expect(new Set(aborted.map(({ status }) => status))).toEqual(new Set([200, 555]));
    const { none = 0 } = shares(aborted);
    expect(Math.abs(none - 30)).toBeLessThan(7.5);
  });

  it("end when their time is over", async () => {
    backend("details", "v1").behave(() => ({ silent: true }));
    await shop.apply(
      subsets("details"),
      virtualService("details", {
        http: [{ timeout: "0.25s", retries: { attempts: 0 }, route: [to("details", "v1")] }],
      }),
    );
    const { status, took } = await call(at("details"));
    expect(status).toBe(504);
    expect(took).toBeGreaterThanOrEqual(240);
    expect(took).toBeLessThan(5000);
  });

  it("are tried again as often as a rule says, and no more", async () => {
    const flaky = backend("details", "v1");
    let left = 2;
    flaky.behave(() => (left-- > 0 ? { status: 503 } : {}));
    const retrying = (attempts: number) => [
      subsets("details"),
      virtualService("details", {
        http: [{ retries: { attempts, retryOn: "5xx", backoff: "1ms" }, route: [to("details", "v1")] }],
      }),
    ];
    await shop.apply(...retrying(3));
    const before = flaky.seen.length;
    expect(await call(at("details"))).toMatchObject({ status: 200, echo: { version: "v1" } });
    expect(flaky.seen.length - before).toBe(3);
    await shop.apply(...retrying(1));
    left = 2;
    const again = flaky.seen.length;
    expect(await call(at("details"))).toMatchObject({ status: 503 });
    expect(flaky.seen.length - again).toBe(2);
  });

  it("avoid an endpoint that fails, and come back to it", async () => {
    const failing = backend("details", "v2");
    failing.behave(() => ({ status: 500 }));
    await shop.apply(
      object500(3),
      virtualService("details", { http: [{ retries: { attempts: 0 }, route: [to("details")] }] }),
    );
    const failures = (await calls(60, at("details"), 1)).filter(({ status }) => status === 500);
    // Envoy's workers count, and its main thread takes the endpoint out: a call or two may still come between.
    expect(failures.length).toBeGreaterThanOrEqual(3);
    expect(failures.length).toBeLessThanOrEqual(5);
    const ejected = failing.seen.length;
    expect(shares(await calls(50, at("details")))).toEqual({ v1: 100 });
    expect(failing.seen.length).toBe(ejected);
    failing.behave();
    await waitFor(async () => (await call(at("details"))).echo?.version === "v2", { what: "the endpoint's return" });
  });
  const object500 = (consecutive5xxErrors: number) =>
    subsets("details", {
      outlierDetection: {
        consecutive5xxErrors,
        interval: "0.2s",
        baseEjectionTime: "1.5s",
        maxEjectionPercent: 100,
      },
    });

  it("are mirrored while the caller gets the answer of the first", async () => {
    backend("reviews", "v2").behave(() => ({ status: 500 }));
    const mirrors = [{ ...to("reviews", "v2"), percentage: { value: 100 } }];
    await shop.apply(
      subsets("reviews"),
      virtualService("reviews", { http: [{ route: [to("reviews", "v1")], mirrors }] }),
    );
    const before = seenBy("reviews", "v2");
    const replies = await calls(20, at("reviews", { path: "/mirrored" }));
    expect(shares(replies)).toEqual({ v1: 100 });
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200]));
    await waitFor(() => seenBy("reviews", "v2") === before + 20, { what: "the mirrored requests" });
    expect(backend("reviews", "v2").seen.at(-1)).toMatchObject({
      path: "/mirrored",
      headers: { host: hostname("reviews") },
    });
  });

  it("of one user go to one endpoint, those of many to all", async () => {
    await shop.apply(
      subsets("reviews", { loadBalancer: { consistentHash: { httpHeaderName: "x-user" } } }),
      virtualService("reviews", { http: [{ route: [to("reviews")] }] }),
    );
    const replies = await calls(200, (index) => at("reviews", { headers: { "x-user": `user-${index % 40}` } }));
    const chosen = new Map<string, Set<string>>();
    for (const { echo } of replies) {
      const user = String(echo?.headers["x-user"]);
      chosen.set(user, (chosen.get(user) ?? new Set()).add(echo?.version ?? "none"));
    }
    expect([...chosen.values()].filter(({ size }) => size !== 1)).toEqual([]);
    expect(Object.keys(shares(replies))).toEqual(["v1", "v2", "v3"]);
    const one = shares(await calls(200, at("reviews", { headers: { "x-user": "jason" } })));
    expect(Object.values(one)).toEqual([100]);
  });

  it("have their headers changed, and those of the answers", async () => {
    const headers = {
      request: { set: { "x-set": "set" }, add: { "x-added": "more" }, remove: ["x-secret"] },
      response: { set: { "x-answer": "ours" }, remove: ["x-internal"] },
    };
    await shop.apply(
      subsets("productpage"),
      virtualService("productpage", { http: [{ headers, route: [to("productpage", "v1")] }] }),
    );
    const sent = { "x-set": "theirs", "x-added": "one", "x-secret": "word" };
    const reply = await call(at("productpage", { headers: sent }));
    expect(reply.echo?.headers).toMatchObject({ "x-set": "set", "x-added": "one, more" });
    expect(reply.echo?.headers).not.toHaveProperty("x-secret");
    expect(reply.headers).toMatchObject({ "x-answer": "ours" });
    expect(reply.headers).not.toHaveProperty("x-internal");
  });

  it("are redirected, rewritten, allowed to other origins, and answered without a backend", async () => {
    const under = (prefix: string) => [{ uri: { prefix } }];
    const route = [to("productpage", "v1")];
    await shop.apply(
      subsets("productpage"),
      virtualService("productpage", {
        http: [
          { match: under("/old"), redirect: { uri: "/new", authority: "books.example.com", redirectCode: 308 } },
          { match: under("/api/v1/"), rewrite: { uri: "/", authority: "inner.example.com" }, route },
          {
            match: under("/shared"),
            corsPolicy: {
              allowOrigins: [{ exact: "https://app.example.com" }],
              allowMethods: ["GET", "PUT"],
              allowHeaders: ["x-user"],
              maxAge: "24h",
            },
            route,
          },
          { match: under("/teapot"), directResponse: { status: 418, body: { string: "short and stout" } } },
          { route },
        ],
      }),
    );
    const redirected = await call(at("productpage", { path: "/old/page" }));
    expect(redirected).toMatchObject({ status: 308, headers: { location: "http://books.example.com/new" } });
    const rewritten = await call(at("productpage", { path: "/api/v1/books?n=1" }));
    expect(rewritten.echo).toMatchObject({ path: "/books?n=1", headers: { host: "inner.example.com" } });
    const preflight = (origin: string) =>
      call(
        at("productpage", {
          ...{ path: "/shared", method: "OPTIONS" },
          headers: { origin, "access-control-request-method": "PUT" },
        }),
      );
    const before = seenBy("productpage", "v1");
    const allowed = await preflight("https://app.example.com");
    expect(seenBy("productpage", "v1")).toBe(before);
    expect(allowed).toMatchObject({
      status: 200,
      headers: {
        "access-control-allow-origin": "https://app.example.com",
        "access-control-allow-methods": "GET,PUT",
        "access-control-allow-headers": "x-user",
        "access-control-max-age": "86400",
      },
    });
    expect((await preflight("https://evil.example.com")).headers).not.toHaveProperty("access-control-allow-origin");
    expect(await call(at("productpage", { path: "/teapot" }))).toMatchObject({ status: 418, text: "short and stout" });
    expect(await call(at("productpage", { path: "/other" }))).toMatchObject({ status: 200, echo: { path: "/other" } });
  });

  it("do not fail while rules change", async () => {
    const only = (version: string) => [
      destinationRule("reviews", [version]),
      virtualService("reviews", { http: [{ route: [to("reviews", version)] }] }),
    ];
    await shop.apply(...only("v1"));
    const traffic = startTraffic(shop.port, hostname("reviews"), 4);
    await traffic.next(({ text }) => text.includes('"version":"v1"'));
    for (const version of ["v2", "v3", "v1", "v2", "v3"]) {
      const moved = traffic.next(({ text }) => text.includes(`"version":"${version}"`));
      await shop.apply(...only(version));
      await moved;
    }
    const split = { http: [{ route: [to("reviews", "v1", 50), to("reviews", "v2", 50)] }] };
    const both = traffic.next(({ text }) => text.includes('"version":"v2"'));
    await shop.apply(destinationRule("reviews", ["v1", "v2"]), virtualService("reviews", split));
    await both;
    const plain = traffic.next(({ text }) => text.includes('"version":"v3"'));
    await shop.apply();
    await plain;
    expect((await traffic.stop()).slice(0, 3)).toEqual([]);
    expect(traffic.answers.length).toBeGreaterThan(100);
  });

  it("go by the last good form of rules when a file goes wrong, and that is said", async () => {
    const route = { http: [{ route: [to("reviews", "v2")] }] };
    await shop.apply(subsets("reviews"), virtualService("reviews", route));
    const problems = async () => JSON.stringify(await shop.daemon.debug("/debug/registriesz"));
    const wrong = virtualService("reviews", {
      http: [{ match: [{ uri: { regex: "(" } }], route: [to("reviews", "v1", -1)] }],
    });
    for (const text of [JSON.stringify(wrong), "kind: [", ""]) {
      await shop.write(text);
      await waitFor(async () => (await problems()).includes("PROTOCOL_ERROR"), { what: "the fault to be reported" });
      expect(shares(await calls(30, at("reviews")))).toEqual({ v2: 100 });
      await shop.apply(subsets("reviews"), virtualService("reviews", route));
      await waitFor(async () => !(await problems()).includes("PROTOCOL_ERROR"), { what: "the registry to be well" });
    }
    expect(shop.daemon.log()).toMatch(/"file":"rules.yaml".*"must not be negative","event":"static-file-fault"/);
    await shop.apply(virtualService("reviews", { http: [{ route: [to("reviews", "v1")] }] }), subsets("reviews"));
    expect(shares(await calls(30, at("reviews")))).toEqual({ v1: 100 });
  });

  it("were all by configurations that nobody refused", () => shop.expectNoRefusal());
});
