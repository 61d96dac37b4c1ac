import { serviceKey } from "@signalbox/model";
import { migrationReport } from "@signalbox/policy";
import type { Override } from "@signalbox/policy";
import { describe, expect, it } from "vitest";
import { createApi } from "./api.ts";
import { refusals } from "./failure.ts";
import { routes } from "./routes.ts";
import type { AcceptedWrite, ApiSources, DriftRow, GuardStatus, JournalRow } from "./sources.ts";
import { answered, ask, document, refused } from "./testing/checked-api.ts";
import { candidate, entry, eureka, explanation, ip, now, shop, sourcesOf } from "./testing/world.ts";

const orders = entry("shop", "orders.shop.svc.cluster.local", [
  { addresses: [ip("10.0.0.2")], registries: [shop, eureka] },
  { addresses: [ip("10.0.0.1"), { type: "ip", ip: "2001:db8::1", port: 8080 }] },
  { addresses: [ip("10.0.0.1", 9090)], port: "admin", health: "UNHEALTHY" },
  { addresses: [ip("10.0.0.3")], priority: 1, registries: [eureka] },
]);
const ordersElsewhere = entry("bank", "orders.bank.svc.cluster.local", [{ addresses: [ip("10.0.7.7")] }]);
const web = entry("shop", "web.shop.svc.cluster.local", [{ addresses: [ip("10.0.0.9")], weight: 0 }]);
const twin = entry("bank", "web.shop.svc.cluster.local");
const world = sourcesOf([web, orders, ordersElsewhere, twin]);
const ordersKey = orders.key;
const token = () => Promise.resolve("s3cret");
const bearer = { authorization: "Bearer s3cret" };

const items = (told: { readonly json: unknown }) => (told.json as { items: Record<string, unknown>[] }).items;
const keysOf = (told: { readonly json: unknown }) => items(told).map(({ key }) => key);

describe("GET /v1/services", () => {
  it("lists services by key with ports, registries and counts", async () => {
    const told = await ask(world, "/v1/services");
    expect(keysOf(told)).toEqual([ordersElsewhere.key, twin.key, ordersKey, web.key]);
    expect(items(told)[2]).toEqual({
      key: "shop/orders.shop.svc.cluster.local",
      hostname: "orders.shop.svc.cluster.local",
      namespace: "shop",
      ports: [{ name: "http", number: 80, protocol: "HTTP" }],
      registries: ["kubernetes/shop", "eureka/dc1"],
      endpoints: { total: 4, healthy: 3, standby: 1 },
    });
    // A weight of 0 takes no traffic.
    expect(items(told)[3]).toMatchObject({ endpoints: { total: 1, healthy: 0 } });
    expect(told.json).not.toHaveProperty("next");
  });

  it("lists one namespace, not those whose name begins so", async () => {
    const more = sourcesOf([web, entry("shop-2", "x.example")]);
    expect(keysOf(await ask(more, "/v1/services?namespace=shop"))).toEqual([web.key]);
  });

  it("pages through all, each once", async () => {
    const seen: unknown[] = [];
    let after = "";
    for (let page = 0; page < 10; page++) {
      const told = await ask(world, `/v1/services?limit=3${after}`);
      seen.push(...keysOf(told));
      const { next } = told.json as { next?: string };
      if (next === undefined) break;
      after = `&after=${encodeURIComponent(next)}`;
    }
    expect(seen).toEqual(keysOf(await ask(world, "/v1/services")));
  });

  it("lists the services that could not have the name they want, of the namespace that is asked for", async () => {
    const collision = {
      registry: "eureka/dc1",
      wanted: web.key,
      winner: "default/w-eb.x",
      loser: "default/w_eb.x",
      renamed: "shop/web-1.x",
    };
    const colliding = { ...world, collisions: () => [collision as never] };
    expect((await ask(colliding, "/v1/services")).json).toMatchObject({ collisions: [collision] });
    expect((await ask(colliding, "/v1/services?namespace=other")).json).toMatchObject({ collisions: [] });
    expect((await ask(world, "/v1/services")).json).toMatchObject({ collisions: [] });
  });

  it("says no next where a page is just full", async () => {
    expect((await ask(world, "/v1/services?limit=4")).json).not.toHaveProperty("next");
  });
});

describe("GET /v1/services/{namespace}/{hostname}", () => {
  it("has the endpoints, sorted by port and address", async () => {
    const told = await ask(world, "/v1/services/shop/orders.shop.svc.cluster.local");
    const { instances, ...service } = told.json as { instances: Record<string, unknown>[] };
    expect(service).toMatchObject({ resolution: "STATIC", labels: { app: "x" }, versions: orders.versions });
    expect(instances.map(({ servicePort, address }) => `${String(servicePort)} ${String(address)}`)).toEqual([
      "admin 10.0.0.1:9090",
      "http 10.0.0.1:8080",
      "http 10.0.0.2:8080",
      "http 10.0.0.3:8080",
    ]);
    expect(instances[1]).toMatchObject({ additionalAddresses: ["[2001:db8::1]:8080"], health: "HEALTHY" });
    expect(instances[2]).toMatchObject({
      registries: ["kubernetes/shop", "eureka/dc1"],
      objects: ["Endpoints kubernetes/shop", "Endpoints eureka/dc1"],
      findings: [{ stage: "drift", code: "CONFIRMED", since: now - 1000 }],
    });
  });

  it("compares hostnames without case", async () => {
    expect((await ask(world, "/v1/services/shop/Web.shop.svc.cluster.local")).status).toBe(200);
  });

  it("names what is called nearly so", async () => {
    expect((await ask(world, "/v1/services/shop/order.shop.svc.cluster.local")).json).toMatchObject({
      code: "SBX_SERVICE_UNKNOWN",
      near: [ordersKey],
    });
  });
});

describe("GET /v1/instances", () => {
  const addressesOf = (told: { readonly json: unknown }) => items(told).map(({ address }) => address);

  it("lists all endpoints, by service, port and address", async () => {
    expect(addressesOf(await ask(world, "/v1/instances"))).toEqual([
      "10.0.7.7:8080",
      "10.0.0.1:9090",
      "10.0.0.1:8080",
      "10.0.0.2:8080",
      "10.0.0.3:8080",
      "10.0.0.9:8080",
    ]);
  });

  it("lists those of a service and of registries that fit", async () => {
    expect(addressesOf(await ask(world, "/v1/instances?service=orders.shop&registry=eureka/*"))).toEqual([
      "10.0.0.2:8080",
      "10.0.0.3:8080",
    ]);
  });

  it.each(["", "&registry=eureka/*", "&service=orders.shop"])("pages through all, each once: %s", async (filter) => {
    const all = addressesOf(await ask(world, `/v1/instances?limit=1000${filter}`));
    for (const limit of [1, 2, 4]) {
      const seen: unknown[] = [];
      let after = "";
      for (let page = 0; page < 10; page++) {
        const told = await ask(world, `/v1/instances?limit=${limit}${filter}${after}`);
        seen.push(...addressesOf(told));
        const { next } = told.json as { next?: string };
        if (next === undefined) break;
        after = `&after=${encodeURIComponent(next)}`;
      }
      expect(seen).toEqual(all);
    }
  });
});

describe("the name of a service", () => {
  const serviceOf = async (name: string) => {
    const told = await ask(world, `/v1/explain?service=${encodeURIComponent(name)}`);
    return told.status === 200 ? (told.json as { service: string }).service : told.json;
  };

  it.each([
    ["a key", "shop/orders.shop.svc.cluster.local", ordersKey],
    ["a key in capitals", "shop/ORDERS.shop.svc.cluster.local", ordersKey],
    ["a hostname", "orders.shop.svc.cluster.local", ordersKey],
    ["a hostname with a dot at its end", "orders.shop.svc.cluster.local.", ordersKey],
    ["first labels that one service has", "orders.shop", ordersKey],
  ])("may be %s", async (_, name, key) => {
    expect(await serviceOf(name)).toBe(key);
  });

  it.each([
    ["orders", [ordersElsewhere.key, ordersKey]],
    ["web.shop.svc.cluster.local", [twin.key, web.key]],
  ])("is refused with all that it may be: %s", async (name, services) => {
    expect(await serviceOf(name)).toMatchObject({ code: "SBX_SERVICE_AMBIGUOUS", services });
  });

  it.each([
    ["ordres", [ordersElsewhere.key, ordersKey]],
    ["wbe.shop.svc.cluster.local", [twin.key, web.key]],
    ["order", [ordersElsewhere.key, ordersKey]],
    ["ord", []],
    ["nothing-like-it", []],
    ["shop/orders", []],
    [".", []],
  ])("is refused with what is near: %s", async (name, near) => {
    expect(await serviceOf(name)).toMatchObject({ code: "SBX_SERVICE_UNKNOWN", near });
  });
});

describe("GET /v1/sources", () => {
  it("shows state, age, problem and counts, by id, and of an error its words", async () => {
    const sources = () => [
      { id: shop, state: "SYNCED", services: 3, ageMs: 12, lastCompleteRead: now, restarts: 0 },
      {
        id: eureka,
        state: "STALE",
        problem: "UNREACHABLE",
        services: 2,
        withheld: true as const,
        lastError: new Error("connection refused"),
      },
    ];
    expect((await ask({ ...world, sources }, "/v1/sources")).json).toEqual({
      items: [
        {
          id: "eureka/dc1",
          state: "STALE",
          problem: "UNREACHABLE",
          services: 2,
          endpoints: 2,
          withheld: true,
          lastError: "connection refused",
        },
        {
          id: "kubernetes/shop",
          state: "SYNCED",
          services: 3,
          endpoints: 5,
          ageMs: 12,
          lastCompleteRead: now,
          restarts: 0,
        },
      ],
    });
  });
});

describe("GET /v1/drift", () => {
  const row = (more: Partial<DriftRow>): DriftRow => ({
    service: ordersKey,
    registry: eureka,
    address: "10.0.0.3:8080",
    verdict: "GHOST",
    action: "report",
    since: now,
    detail: "no pod has 10.0.0.3",
    ...more,
  });
  const rows = [
    row({ service: web.key, verdict: "UNREGISTERED", action: "none" }),
    row({ registry: shop, verdict: "CONFIRMED" }),
    row({ address: "10.0.0.4:8080", verdict: "IMPOSTOR" }),
    row({}),
  ];
  const sources: ApiSources = { ...world, drift: () => Promise.resolve(rows) };

  it.each([
    ["", ["GHOST", "IMPOSTOR", "CONFIRMED", "UNREGISTERED"]],
    ["?service=orders.shop", ["GHOST", "IMPOSTOR", "CONFIRMED"]],
    ["?registry=kubernetes/*", ["CONFIRMED"]],
    ["?verdict=IMPOSTOR&registry=eureka/dc1", ["IMPOSTOR"]],
  ])("lists by service, registry and address: %s", async (query, verdicts) => {
    const told = await ask(sources, `/v1/drift${query}`);
    expect(items(told).map(({ verdict }) => verdict)).toEqual(verdicts);
  });

  it("knows no other verdicts", async () => {
    expect((await ask(sources, "/v1/drift?verdict=ghost")).json).toMatchObject({
      code: "SBX_QUERY",
      fields: [{ field: "verdict" }],
    });
  });
});

describe("guards", () => {
  const guard: GuardStatus = {
    id: "eureka/dc1",
    scope: "source",
    registry: eureka,
    since: now - 5000,
    removed: 40,
    baseline: 100,
    held: 40,
    holdUntil: now + 60_000,
    mode: "hold",
  };

  function guarded(more: Partial<ApiSources> = {}, guards: readonly GuardStatus[] = [guard]) {
    const decisions: unknown[] = [];
    const journal: AcceptedWrite[] = [];
    const sources: ApiSources = {
      ...world,
      guards: () => guards,
      decideGuard: (id, decision) => {
        decisions.push([id, decision]);
        const found = guards.find((one) => one.id === id);
        return found ? { type: "done", value: found } : { type: "absent" };
      },
      journalled: (write) => {
        journal.push(write);
      },
      ...more,
    };
    return { sources, decisions, journal };
  }

  const post = (sources: ApiSources, url: string, body: object) =>
    ask(sources, url, { method: "POST", body, headers: bearer }, { token });

  it("are listed by id, without members that are not for people", async () => {
    const internal = { ...guard, id: "a", service: ordersKey, peak: 3 };
    const told = await ask(guarded({}, [guard, internal]).sources, "/v1/guards");
    expect(items(told).map(({ id }) => id)).toEqual(["a", "eureka/dc1"]);
  });

  it.each(["/v1/guards/eureka%2Fdc1:accept", "/v1/guards/eureka/dc1:accept"])("let go at %s", async (url) => {
    const { sources, decisions, journal } = guarded();
    expect((await post(sources, url, { author: "ann", reason: "planned" })).json).toEqual(guard);
    expect(decisions).toEqual([["eureka/dc1", { type: "accept" }]]);
    expect(journal).toEqual([
      {
        at: now,
        action: "guard-accept",
        subject: "eureka/dc1",
        author: "ann",
        reason: "planned",
        remote: "10.9.9.9",
        detail: guard,
      },
    ]);
  });

  it.each([
    ["10m", now + 600_000],
    ["1s", now + 60_000],
  ])("hold for %s from now, and never shorter than before", async (length, until) => {
    const { sources, decisions, journal } = guarded();
    await post(sources, "/v1/guards/eureka%2Fdc1:extend", { for: length, author: "ann" });
    expect(decisions).toEqual([["eureka/dc1", { type: "extend", until }]]);
    expect(journal).toMatchObject([{ action: "guard-extend", author: "ann" }]);
  });

  it("have no end to move where only a person ends them", async () => {
    const { holdUntil: _, ...endless } = guard;
    const { sources, decisions, journal } = guarded({}, [endless]);
    const told = await post(sources, "/v1/guards/eureka%2Fdc1:extend", { for: "1h", author: "ann" });
    expect(told.json).toMatchObject({ code: "SBX_WRITE_REFUSED" });
    expect([decisions, journal]).toEqual([[], []]);
  });

  it.each([
    ["accept", { author: "ann" }],
    ["extend", { author: "ann", for: "1h" }],
  ])("that are not there cannot be told to %s", async (verb, body) => {
    const { sources, journal } = guarded();
    expect((await post(sources, `/v1/guards/nothing:${verb}`, body)).json).toMatchObject({ code: "SBX_ID_UNKNOWN" });
    expect(journal).toEqual([]);
  });

  it("pass on why they cannot be decided here", async () => {
    const decideGuard = () => ({ type: "refused" as const, reason: "several replicas run without a bus" });
    const { sources } = guarded({ decideGuard });
    expect((await post(sources, "/v1/guards/eureka%2Fdc1:accept", { author: "ann" })).json).toEqual({
      error: "several replicas run without a bus",
      code: "SBX_WRITE_REFUSED",
    });
  });
});

describe("overrides", () => {
  const standing: Override = {
    id: "o1",
    service: ordersKey,
    address: "10.0.0.2:8080",
    action: { type: "weight", weight: 5 },
    author: "bob",
    reason: "canary",
    since: now,
    until: now + 1000,
  };

  function overridden(more: Partial<ApiSources> = {}) {
    const added: unknown[] = [];
    const journal: AcceptedWrite[] = [];
    const sources: ApiSources = {
      ...world,
      overrides: () => [standing, { ...standing, id: "o2", address: "10.0.0.1:8080", action: { type: "hold" } }],
      addOverride: (override) => {
        added.push(override);
        return { type: "done", value: { id: "o3", ...override } };
      },
      removeOverride: (id) => (id === "o1" ? { type: "done", value: standing } : { type: "absent" }),
      journalled: (write) => {
        journal.push(write);
      },
      ...more,
    };
    return { sources, added, journal };
  }

  const drain = {
    service: "orders.shop",
    address: "10.0.0.2:8080",
    action: "drain",
    for: "10m",
    author: "ann",
    reason: "it leaks",
  };
  const post = (sources: ApiSources, body: unknown, headers: Record<string, string> = bearer) =>
    ask(sources, "/v1/overrides", { method: "POST", body, headers }, { token });

  it("are listed by service and address", async () => {
    const told = await ask(overridden().sources, "/v1/overrides");
    expect(items(told).map(({ id }) => id)).toEqual(["o2", "o1"]);
  });

  it("are added with the time at which they end, and journalled", async () => {
    const { sources, added, journal } = overridden();
    const told = await post(sources, drain);
    const override = {
      service: ordersKey,
      address: "10.0.0.2:8080",
      action: { type: "drain" },
      author: "ann",
      reason: "it leaks",
      since: now,
      until: now + 600_000,
    };
    expect(told).toMatchObject({ status: 201, json: { id: "o3", ...override } });
    expect(added).toEqual([override]);
    expect(journal).toEqual([
      {
        at: now,
        action: "override-add",
        subject: "o3",
        author: "ann",
        reason: "it leaks",
        remote: "10.9.9.9",
        detail: { id: "o3", ...override },
      },
    ]);
  });

  it.each([
    [{ action: "hold" }, { type: "hold" }],
    [
      { action: "weight", weight: 0 },
      { type: "weight", weight: 0 },
    ],
  ])("take the action of %j", async (given, action) => {
    const { sources, added } = overridden();
    expect((await post(sources, { ...drain, ...given })).status).toBe(201);
    expect(added).toMatchObject([{ action }]);
  });

  it.each([
    ["10.0.0.2", "10.0.0.2:8080"],
    ["[2001:DB8:0::1]:8080", undefined],
  ])("mean the endpoint %s as people write it", async (address, meant) => {
    const { sources, added } = overridden();
    const told = await post(sources, { ...drain, address });
    if (meant === undefined) expect(told.json).toMatchObject({ code: "SBX_ADDRESS_UNKNOWN" });
    else expect(added).toMatchObject([{ address: meant }]);
  });

  it("go on endpoints that are not served too, if a registry tells of them", async () => {
    const gone = explanation(orders, { candidates: [candidate("10.0.0.77:8080")] });
    const { sources } = overridden({ explain: () => gone });
    expect((await post(sources, { ...drain, address: "10.0.0.77:8080" })).status).toBe(201);
  });

  it.each([
    ["for", { for: "25h" }],
    ["for", { for: "0s" }],
    ["for", { for: "10" }],
    ["for", { for: 600 }],
    ["for", { for: undefined }],
    ["author", { author: undefined }],
    ["author", { author: "  " }],
    ["author", { author: "a\u001b[31m" }],
    ["reason", { reason: undefined }],
    ["action", { action: "kill" }],
    ["action", { action: undefined }],
    ["weight", { action: "weight" }],
    ["weight", { weight: 5 }],
    ["weight", { action: "weight", weight: 1.5 }],
    ["weight", { action: "weight", weight: -1 }],
    ["weight", { action: "weight", weight: "5" }],
    ["address", { address: "" }],
    ["service", { service: undefined }],
    ["reasn", { reasn: "x" }],
    ["__proto__", JSON.parse('{"__proto__": 1}') as object],
  ])("are refused with the name of the wrong member: %s of %j", async (field, wrong) => {
    const { sources, added, journal } = overridden();
    const body = Object.fromEntries([...Object.entries(drain), ...Object.entries(wrong)]);
    // fromEntries makes an own member of __proto__; spreading would not.
    const told = await post(sources, body);
    expect(told.json).toMatchObject({ code: "SBX_BODY", fields: [{ field }] });
    expect((told.json as { error: string }).error).toContain(field);
    expect([added, journal]).toEqual([[], []]);
  });

  it("say what a missing and what a mistyped member is", async () => {
    const { reason: _, ...rest } = drain;
    expect((await post(overridden().sources, { ...rest, reasn: "x" })).json).toMatchObject({
      fields: [
        { field: "reasn", problem: "is no member here; did you mean reason?" },
        { field: "reason", problem: "is required" },
      ],
    });
  });

  it("are refused for an address that nobody tells of, with what is near", async () => {
    expect((await post(overridden().sources, { ...drain, address: "10.0.0.20:8080" })).json).toMatchObject({
      code: "SBX_ADDRESS_UNKNOWN",
      near: expect.arrayContaining(["10.0.0.2:8080"]) as unknown,
    });
  });

  it("are refused for a host with several ports", async () => {
    expect((await post(overridden().sources, { ...drain, address: "10.0.0.1" })).json).toMatchObject({
      code: "SBX_ADDRESS_AMBIGUOUS",
      addresses: ["10.0.0.1:8080", "10.0.0.1:9090"],
    });
  });

  it("are refused for a service that is not there", async () => {
    expect((await post(overridden().sources, { ...drain, service: "nothing" })).status).toBe(404);
  });

  it("pass on why they cannot be taken here, and journal nothing", async () => {
    const addOverride = () => ({ type: "refused" as const, reason: "several replicas run without a bus" });
    const { sources, journal } = overridden({ addOverride });
    expect((await post(sources, drain)).json).toMatchObject({ error: "several replicas run without a bus" });
    expect(journal).toEqual([]);
  });

  const remove = (url: string) => {
    const { sources, journal } = overridden();
    return ask(sources, url, { method: "DELETE", headers: bearer }, { token }).then((told) => ({ told, journal }));
  };

  it("are removed by somebody with a name", async () => {
    const { told, journal } = await remove("/v1/overrides/o1?author=ann&reason=over");
    expect(told.json).toEqual(standing);
    expect(journal).toMatchObject([{ action: "override-remove", subject: "o1", author: "ann", reason: "over" }]);
    expect((await remove("/v1/overrides/o1")).told.json).toMatchObject({ fields: [{ field: "author" }] });
  });

  it("that are not there cannot be removed", async () => {
    expect((await remove("/v1/overrides/o9?author=ann")).told.json).toMatchObject({ code: "SBX_ID_UNKNOWN" });
  });
});

describe("writes", () => {
  const body = { author: "ann" };
  const decideGuard: NonNullable<ApiSources["decideGuard"]> = () => {
    throw new Error("must not be reached");
  };
  const accept = (headers: Record<string, string>, options: Parameters<typeof ask>[3], given: unknown = body) =>
    ask({ ...world, decideGuard }, "/v1/guards/x:accept", { method: "POST", body: given, headers }, options);

  it.each([
    ["no token is configured", {}],
    ["the token is empty", { token: () => Promise.resolve("") }],
    ["there is none at the moment", { token: () => Promise.resolve(undefined) }],
  ])("are off where %s", async (_, options) => {
    const told = await accept({ authorization: "Bearer " }, options);
    expect(told).toMatchObject({ status: 403, json: { code: "SBX_WRITES_OFF" } });
  });

  it.each([
    [{}, 'Bearer realm="signalbox"'],
    [{ authorization: "Basic s3cret" }, 'Bearer realm="signalbox"'],
    [{ authorization: "Bearer" }, 'Bearer realm="signalbox"'],
    [{ authorization: "Bearer s3cre" }, 'Bearer realm="signalbox", error="invalid_token"'],
    [{ authorization: "Bearer s3cret2" }, 'Bearer realm="signalbox", error="invalid_token"'],
    [{ authorization: "Bearer S3CRET" }, 'Bearer realm="signalbox", error="invalid_token"'],
  ])("need the token: %j", async (headers: Record<string, string>, challenge) => {
    const told = await accept(headers, { token });
    expect(told).toMatchObject({ status: 401, json: { code: "SBX_TOKEN" } });
    expect(told.headers["www-authenticate"]).toBe(challenge);
  });

  it("ask for the token each time, so that it may change", async () => {
    const sources: ApiSources = { ...world, decideGuard: () => ({ type: "absent" }) };
    let current = "old";
    const asked = () =>
      ask(
        sources,
        "/v1/guards/x:accept",
        { method: "POST", body, headers: { authorization: "Bearer new" } },
        { token: () => Promise.resolve(current) },
      );
    expect((await asked()).status).toBe(401);
    current = "new";
    expect((await asked()).status).toBe(404);
  });

  it.each([
    ["no JSON", Buffer.from("{"), "SBX_BODY"],
    ["text that is no UTF-8", Buffer.from([0x22, 0xff, 0x22]), "SBX_BODY"],
    ["a list", [], "SBX_BODY"],
    ["nothing", null, "SBX_BODY"],
    ["too much", Buffer.alloc(16 * 1024 + 1, " "), "SBX_BODY_TOO_LARGE"],
  ])("refuse a body that is %s", async (_, given, code) => {
    expect((await accept(bearer, { token }, given)).json).toMatchObject({ code });
  });

  it.each(["text/plain", "application/x-www-form-urlencoded", "", "application/jsonp"])(
    "refuse the content type %j, which pages of other sites may send",
    async (type) => {
      const told = await accept({ ...bearer, "content-type": type }, { token });
      expect(told).toMatchObject({ status: 415, json: { code: "SBX_CONTENT_TYPE" } });
    },
  );

  it("take JSON with a character set", async () => {
    const sources: ApiSources = { ...world, decideGuard: () => ({ type: "absent" }) };
    const headers = { ...bearer, "content-type": "application/json; charset=utf-8" };
    expect((await ask(sources, "/v1/guards/x:accept", { method: "POST", body, headers }, { token })).status).toBe(404);
  });
});

describe("migration", () => {
  const side = (registries: string) => ({ registries, sources: [], candidates: [], ports: [] });
  const report = migrationReport({
    service: ordersKey,
    from: { ...side("eureka/*"), candidates: [candidate("10.0.0.1:8080", { findings: [] })] },
    to: { ...side("kubernetes/*"), ports: [{ name: "http", number: 80, protocol: "UNSUPPORTED" }] },
    now,
    rules: { parity: 1, forMs: 0 },
  });
  const ramp = { state: "RUNNING", weights: { "eureka/*": 90, "kubernetes/*": 10 }, nextStepAt: now + 1 };

  it("is reported with its ramp, by key with and without escapes, and between the sides that are asked for", async () => {
    const asked: unknown[] = [];
    const sources: ApiSources = {
      ...world,
      migration: (service, sides) => {
        asked.push([service, sides]);
        return { report, ramp };
      },
    };
    const urls = [
      "/v1/migration/orders.shop",
      `/v1/migration/${encodeURIComponent(ordersKey)}?from=eureka/*&to=kubernetes/shop`,
      `/v1/migration/${ordersKey}?from=a`,
    ];
    for (const url of urls)
      expect((await ask(sources, url)).json).toEqual(JSON.parse(JSON.stringify({ ...report, ramp })));
    expect(asked).toEqual([
      [ordersKey, {}],
      [ordersKey, { from: "eureka/*", to: "kubernetes/shop" }],
      [ordersKey, { from: "a" }],
    ]);
  });

  it("is not there where nothing says from where to where", async () => {
    const sources: ApiSources = { ...world, migration: () => undefined };
    expect((await ask(sources, "/v1/migration/orders.shop")).json).toMatchObject({ code: "SBX_NO_MIGRATION" });
  });

  it.each(["rollback", "resume"])("is told to %s", async (action) => {
    const journal: AcceptedWrite[] = [];
    const asked: unknown[] = [];
    const sources: ApiSources = {
      ...world,
      rampAction: (...given) => {
        asked.push(given);
        return { type: "done", value: ramp };
      },
      journalled: (write) => void journal.push(write),
    };
    const url = `/v1/migration/${encodeURIComponent(ordersKey)}:${action}`;
    const told = await ask(sources, url, { method: "POST", body: { author: "ann" }, headers: bearer }, { token });
    expect(told.json).toEqual(ramp);
    expect(asked).toEqual([[ordersKey, action, "ann"]]);
    expect(journal).toMatchObject([{ action: `migration-${action}`, subject: ordersKey, author: "ann", detail: ramp }]);
  });
});

describe("GET /v1/explain", () => {
  const excluded = candidate("10.0.0.5:8080", {
    outcome: { stage: "drift", code: "GHOST", detail: "no pod has 10.0.0.5" },
    findings: [{ stage: "drift", code: "GHOST", since: now }],
  });
  const told = explanation(orders, {
    aliases: ["z.example", "a.example"],
    merge: { type: "split", shares: [{ registry: "eureka/*", weight: 90 }], onEmpty: "spill" },
    candidates: [
      excluded,
      candidate("10.0.0.1:8080", { registry: shop }),
      candidate("10.0.0.1:8080", { outcome: { stage: "merge", code: "MERGED", detail: "kubernetes/shop speaks" } }),
      candidate("10.0.0.1:9090", { servicePort: "admin" }),
      candidate("[2001:db8::5]:8080"),
    ],
    conflicts: [
      {
        field: "ports[http].protocol",
        kept: { registry: shop, value: "GRPC" },
        dropped: { registry: eureka, value: "HTTP" },
      },
    ],
    departures: [
      { registry: eureka, address: "10.0.0.66:8080", servicePort: "http", at: now - 2 },
      { registry: shop, address: "10.0.0.66:8080", servicePort: "http", at: now - 1 },
    ],
  });
  const sources: ApiSources = { ...world, explain: (key) => (key === ordersKey ? told : undefined) };
  const explain = (address: string) =>
    ask(sources, `/v1/explain?service=orders.shop&address=${encodeURIComponent(address)}`);

  it("has one row for each candidate, sorted, with exactly one outcome", async () => {
    const { json } = await ask(sources, "/v1/explain?service=orders.shop");
    const { candidates, aliases, merge } = json as {
      candidates: { address: string; registry: string; outcome: { code: string } }[];
      aliases: string[];
      merge: object;
    };
    expect(candidates.map(({ address, outcome, registry }) => [address, registry, outcome.code])).toEqual([
      ["10.0.0.1:9090", eureka, "SERVED"],
      ["10.0.0.1:8080", eureka, "MERGED"],
      ["10.0.0.1:8080", shop, "SERVED"],
      ["10.0.0.5:8080", eureka, "GHOST"],
      ["[2001:db8::5]:8080", eureka, "SERVED"],
    ]);
    expect(aliases).toEqual(["a.example", "z.example"]);
    expect(merge).toEqual(told.merge);
  });

  it.each([
    { type: "union" },
    { type: "prefer", order: ["a", "b"] },
    { type: "failover", order: ["a"] },
    { type: "authoritative", registry: "a" },
  ] as const)("shows the merge rule $type", async (merge) => {
    const explained = { ...world, explain: () => ({ ...told, merge }) };
    expect((await ask(explained, "/v1/explain?service=orders.shop")).json).toMatchObject({ merge });
  });

  it.each([
    ["10.0.0.1:8080", ["MERGED", "SERVED"]],
    ["10.0.0.1", ["SERVED", "MERGED", "SERVED"]],
    ["10.0.0.5:8080", ["GHOST"]],
    ["[2001:DB8:0:0::5]:8080", ["SERVED"]],
    ["2001:db8::5", ["SERVED"]],
    ["[2001:db8::5]", ["SERVED"]],
    // The second address of a dual-stack endpoint leads to its first.
    ["[2001:db8::1]:8080", ["MERGED", "SERVED"]],
  ])("answers for %s only", async (address, codes) => {
    const { json } = await explain(address);
    const { candidates, found } = json as { found: boolean; candidates: { outcome: { code: string } }[] };
    expect(found).toBe(true);
    expect(candidates.map(({ outcome }) => outcome.code)).toEqual(codes);
  });

  it("tells of an address that left when it left, the latest first", async () => {
    expect((await explain("10.0.0.66:8080")).json).toMatchObject({
      found: false,
      candidates: [],
      departures: [
        { registry: shop, at: now - 1 },
        { registry: eureka, at: now - 2 },
      ],
    });
  });

  it("tells of an absent address which other services have it", async () => {
    expect((await explain("10.0.0.9:8080")).json).toMatchObject({
      found: false,
      departures: [],
      hints: { services: [web.key] },
    });
  });

  it.each([
    ["10.0.0.1:8081", ["10.0.0.1:8080", "10.0.0.1:9090"]],
    ["10.0.0.55:8080", ["10.0.0.5:8080"]],
    ["[2001:db8::6]:8080", ["[2001:db8::5]:8080"]],
    ["192.168.100.100:80", []],
  ])("tells of %s what is nearly so", async (address, near) => {
    const { hints } = (await explain(address)).json as { hints: { addresses: string[] } };
    for (const one of near) expect(hints.addresses).toContain(one);
    expect(hints.addresses.length).toBeLessThanOrEqual(5);
    if (near.length === 0) expect(hints.addresses).toEqual([]);
  });

  it("explains by its key a service that is no longer in the catalog", async () => {
    const gone = serviceKey({ namespace: "shop", hostname: "gone.example" });
    const explained: ApiSources = {
      ...world,
      explain: (key) => (key === gone ? { ...told, service: gone, candidates: [] } : undefined),
    };
    expect((await ask(explained, "/v1/explain?service=shop/gone.example")).json).toMatchObject({ service: gone });
    expect((await ask(explained, "/v1/explain?service=gone.example")).status).toBe(404);
  });

  it("says so where this process explains nothing", async () => {
    const mute: ApiSources = { ...world, explain: () => undefined };
    expect((await ask(mute, "/v1/explain?service=orders.shop")).json).toMatchObject({ code: "SBX_SERVICE_UNKNOWN" });
  });
});

describe("GET /v1/journal", () => {
  const row = (sequence: number): JournalRow => ({
    sequence,
    at: now + sequence,
    kind: "guard",
    detail: { n: sequence },
  });

  it("reads a range, and says whether there is more", async () => {
    const asked: object[] = [];
    const sources: ApiSources = {
      ...world,
      journal: (range) => {
        asked.push(range);
        return Promise.resolve([row(1), row(2), row(3)].slice(0, range.limit));
      },
    };
    expect((await ask(sources, "/v1/journal?limit=2&from=2026-01-31T12:00:00Z&to=1769861400000")).json).toEqual({
      items: [row(1), row(2)],
      more: true,
    });
    expect((await ask(sources, "/v1/journal")).json).toMatchObject({ more: false });
    expect(asked).toEqual([{ from: Date.UTC(2026, 0, 31, 12), to: 1_769_861_400_000, limit: 3 }, { limit: 101 }]);
  });

  it.each(["yesterday", "2026-13-01T00:00:00Z", "-5"])("knows no time %s", async (from) => {
    const sources: ApiSources = { ...world, journal: () => [] };
    expect((await ask(sources, `/v1/journal?from=${from}`)).json).toMatchObject({ fields: [{ field: "from" }] });
  });
});

describe("withdrawals", () => {
  const going = {
    ...({ mode: "delete", lastHour: 3, maxPerHour: 20 } as const),
    held: [{ registry: eureka, service: ordersKey, listed: 5, ghosts: 4, reason: "4 of 5" }],
  };
  const stopped = { ...going, stopped: { at: now, reason: "20 within an hour" } };

  it.each([going, stopped])("are shown as they are", async (status) => {
    expect((await ask({ ...world, withdrawals: () => status }, "/v1/withdrawals")).json).toEqual(status);
  });

  it("go on by a person's word, which is journalled", async () => {
    const journal: AcceptedWrite[] = [];
    const sources: ApiSources = {
      ...world,
      resumeWithdrawals: () => ({ type: "done", value: going }),
      journalled: (write) => void journal.push(write),
    };
    const asked = { method: "POST", body: { author: "ann", reason: "looked" }, headers: bearer };
    expect((await ask(sources, "/v1/withdrawals:resume", asked, { token })).json).toEqual(going);
    expect(journal).toMatchObject([{ action: "withdrawals-resume", author: "ann", reason: "looked", detail: going }]);
  });

  it("that did not stop cannot go on", async () => {
    const resumeWithdrawals = () => ({ type: "refused", reason: "they did not stop" }) as const;
    const asked = { method: "POST", body: { author: "ann" }, headers: bearer };
    const told = await ask({ ...world, resumeWithdrawals }, "/v1/withdrawals:resume", asked, { token });
    expect(told).toMatchObject({ status: 409, json: { error: "they did not stop" } });
  });
});

describe("what is not configured", () => {
  const write = { method: "POST", headers: bearer };
  const override = {
    service: "web",
    address: "x",
    action: "hold",
    for: "1m",
    author: "ann",
    reason: "r",
  };

  it.each([
    ["/v1/drift", {}, "drift"],
    ["/v1/guards", {}, "guards"],
    ["/v1/guards/a:accept", { ...write, body: { author: "a" } }, "decideGuard"],
    ["/v1/guards/a:extend", { ...write, body: { author: "a", for: "1m" } }, "guards"],
    ["/v1/withdrawals", {}, "withdrawals"],
    ["/v1/withdrawals:resume", { ...write, body: { author: "a" } }, "resumeWithdrawals"],
    ["/v1/overrides", {}, "overrides"],
    ["/v1/overrides", { ...write, body: override }, "addOverride"],
    ["/v1/overrides/a?author=ann", { ...write, method: "DELETE" }, "removeOverride"],
    ["/v1/migration/orders.shop", {}, "migration"],
    ["/v1/migration/orders.shop:resume", { ...write, body: { author: "a" } }, "rampAction"],
    ["/v1/journal", {}, "journal"],
  ])("answers 404 and says what to configure: %s", async (url, asked, missing) => {
    const told = await ask(world, url, asked, { token });
    expect(told).toMatchObject({ status: 404, json: { code: "SBX_NOT_CONFIGURED", missing } });
  });

  it("is said in the words of the host, where it has some", async () => {
    const told = await ask(world, "/v1/journal", {}, { hints: { journal: "Set journal.dir." } });
    expect(told.json).toMatchObject({ error: "Set journal.dir." });
  });
});

describe("every request", () => {
  it.each(["/v1", "/v1/", "/v1/nothing", "/v1/services/a", "/v1/guards/a", "/v1/services/%zz/a", "/v1/constructor"])(
    "finds nothing at %s",
    async (url) => {
      expect((await ask(world, url)).json).toMatchObject({ code: "SBX_NO_ROUTE" });
    },
  );

  it.each([
    ["POST", "/v1/services", "GET, HEAD"],
    ["PUT", "/v1/overrides", "GET, HEAD, POST"],
    ["GET", "/v1/guards/a:accept", "POST"],
    ["GET", "/v1/overrides/a", "DELETE"],
    ["OPTIONS", "/v1/explain", "GET, HEAD"],
  ])("is told which methods there are: %s %s", async (method, url, allow) => {
    const told = await ask(world, url, { method });
    expect(told).toMatchObject({ status: 405, json: { code: "SBX_METHOD" } });
    expect(told.headers["allow"]).toBe(allow);
  });

  it("may be HEAD where it may be GET", async () => {
    expect((await ask(world, "/v1/services", { method: "HEAD" })).status).toBe(200);
  });

  it.each([
    ["/v1/services?limt=3", "limt", "is no parameter here; did you mean limit?"],
    ["/v1/services?limit=0", "limit", "must be at least 1"],
    ["/v1/services?limit=1001", "limit", "must be at most 1000"],
    ["/v1/services?limit=x", "limit", "must be a whole number from 1 to 1000"],
    ["/v1/services?limit=1&limit=2", "limit", "is given twice"],
    ["/v1/sources?service=x", "service", "is no parameter here"],
    ["/v1/explain", "service", "is required"],
    ["/v1/services?__proto__=x", "__proto__", "is no parameter here"],
  ])("is refused with the parameter that is wrong: %s", async (url, field, problem) => {
    const told = await ask(world, url);
    expect(told).toMatchObject({ status: 400, json: { code: "SBX_QUERY", fields: [{ field, problem }] } });
  });

  it("may ask for indented JSON", async () => {
    expect((await ask(world, "/v1/services?pretty&limit=1")).text).toContain('\n  "items": [');
    expect((await ask(world, "/v1/services?pretty=0&limit=1")).text).not.toContain("\n ");
  });

  it("rejects when a source fails, so that the host can log it and tell the client nothing", async () => {
    const drift = () => Promise.reject(new Error("secret"));
    const api = createApi({ sources: { ...world, drift }, version: "0.1.0", now: () => now });
    const request = {
      method: "GET",
      path: "/v1/drift",
      query: new URLSearchParams(),
      headers: {},
      body: Buffer.alloc(0),
    };
    await expect(api.handle(request)).rejects.toThrow("secret");
  });
});

describe("the document", () => {
  it("is served as it is made of the table", async () => {
    expect((await ask(world, "/v1/openapi.json")).json).toEqual(document);
    expect(document.openapi).toBe("3.1.0");
  });

  it("has every route of the table, and no other", () => {
    const documented = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.keys(operations).map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(documented.sort()).toEqual(routes.map(({ method, path }) => `${method} ${path}`).sort());
  });

  it("names every operation once, every path parameter, and the token of writes", () => {
    const all = Object.entries(document.paths).flatMap(([path, operations]) =>
      Object.entries(operations).map(([method, operation]) => ({ path, method, operation })),
    );
    expect(new Set(all.map(({ operation }) => operation.operationId)).size).toBe(all.length);
    for (const { method, operation, path } of all) {
      const inPath = operation.parameters.filter((one) => one.in === "path").map(({ name }) => name);
      expect(inPath).toEqual([...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name));
      expect(operation.security !== undefined).toBe(method !== "get");
    }
  });

  it("says of parameters what they are, and refers only to schemas that it has", () => {
    const parameters = document.paths["/v1/services"]?.["get"]?.parameters;
    expect(parameters?.find(({ name }) => name === "limit")?.schema).toEqual({
      type: "integer",
      default: 100,
      minimum: 1,
      maximum: 1000,
    });
    const referred = [...JSON.stringify(document).matchAll(/"\$ref":"([^"]*)"/g)].map(([, ref = ""]) => ref);
    for (const ref of referred)
      expect(Object.keys(document.components.schemas).map((name) => `#/components/schemas/${name}`)).toContain(ref);
  });
});

describe("these tests", () => {
  it("have had an answer of every route, and every refusal", () => {
    expect([...answered].sort()).toEqual(routes.map(({ operation }) => operation).sort());
    expect([...refused].sort()).toEqual(Object.keys(refusals).sort());
  });
});
