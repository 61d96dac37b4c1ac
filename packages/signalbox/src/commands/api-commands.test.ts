import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createApi, type AcceptedWrite, type ApiSources } from "@signalbox/api";
import { createDebugServer } from "@signalbox/debug";
import { entryVersions, registryId, serviceKey, type Catalog, type CatalogEntry, type Service } from "@signalbox/model";
import {
  migrationReport,
  type ExplainedCandidate,
  type MigrationCandidate,
  type MigrationInput,
  type Override,
} from "@signalbox/policy";
import { describe, expect, it, onTestFinished } from "vitest";
import { main } from "../cli.ts";
import { capturedContext } from "../testing/captured-context.ts";

const eureka = registryId("eureka", "dc1");
const shop = registryId("kubernetes", "shop");
const now = Date.UTC(2026, 0, 31, 12);

function entry(namespace: string, hostname: string): CatalogEntry {
  const service: Service = {
    hostname,
    namespace,
    ports: [{ name: "http", number: 80, protocol: "HTTP" }],
    resolution: "STATIC",
    addresses: [],
    labels: {},
    meshExternal: false,
    exportTo: [],
    serviceAccounts: [],
    provenance: { registry: shop, object: "Service orders" },
  };
  return {
    key: serviceKey(service),
    service,
    instances: [],
    registries: [shop],
    versions: entryVersions(service, []),
  };
}

const orders = entry("shop", "orders.shop.svc.cluster.local");
const bank = entry("bank", "orders.bank.svc.cluster.local");
const catalog: Catalog = {
  revision: { epoch: "e", sequence: 1 },
  entries: new Map([orders, bank].map((one) => [one.key, one])),
  workloads: new Map(),
  objects: new Map(),
};

function candidate(address: string, more: Partial<MigrationCandidate> = {}): MigrationCandidate {
  return {
    registry: eureka,
    object: "APP ORDERS",
    id: address,
    servicePort: "http",
    address,
    reported: { healthStatus: "HEALTHY", weight: 1 },
    served: { healthStatus: "HEALTHY", weight: 1, priority: 0 },
    outcome: { stage: "merge", code: "SERVED", detail: "" },
    findings: [],
    ...more,
  };
}

const served = candidate("10.0.0.1:8080");
const { served: _, ...unserved } = candidate("10.0.0.2:8080", {
  outcome: { stage: "drift", code: "GHOST", detail: "no pod has 10.0.0.2" },
  findings: [{ stage: "drift", code: "GHOST", since: now }],
});
const ghost: ExplainedCandidate = unserved;

const sources: ApiSources = {
  catalog: () => catalog,
  sources: () => [],
  explain: (service) => ({
    service,
    aliases: ["orders.example"],
    identities: [
      { registry: shop, name: "orders" },
      { registry: eureka, name: "ORDERS", rule: 2 },
    ],
    merge: { type: "failover", order: ["kubernetes/*", "eureka/*"] },
    candidates: [
      ghost,
      served,
      candidate("10.0.0.1:8080", {
        registry: shop,
        served: { healthStatus: "DEGRADED", weight: 3, priority: 1 },
        outcome: { stage: "merge", code: "STANDBY", detail: "after \u001b[31mkubernetes/*" },
      }),
    ],
    conflicts: [
      {
        field: "ports[http].protocol",
        kept: { registry: shop, value: "GRPC" },
        dropped: { registry: eureka, value: 7 },
      },
    ],
    lints: [{ code: "CLUSTERIP_ENDPOINT", detail: "eureka/main lists 10.96.0.7:80" }],
    departures: [{ registry: eureka, address: "10.0.0.9:8080", servicePort: "http", at: now }],
  }),
};

/** A real server, and a way to run commands against it. */
async function daemon(more: Partial<ApiSources> = {}) {
  const api = createApi({
    sources: { ...sources, ...more },
    version: "0.1.0",
    now: () => now,
    token: () => Promise.resolve("s3cret"),
  });
  const server = createDebugServer({
    port: 0,
    sources: {
      version: { version: "0.1.0" },
      readiness: () => [],
      catalog: () => catalog,
      registries: () => [],
      clients: () => [],
    },
    api: (request) => api.handle(request),
  });
  onTestFinished(() => server.close());
  const { url } = await server.listen();
  return (...args: string[]) => run({ SIGNALBOX_URL: url, USER: "ann" }, ...args);
}

async function run(environment: Readonly<Record<string, string>>, ...args: string[]) {
  const context = capturedContext(environment);
  const code = await main(args, context);
  return { code, out: context.out(), err: context.err() };
}

function tokenFile(token = "s3cret\n"): string {
  const dir = mkdtempSync(join(tmpdir(), "api-commands-test-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, "token");
  writeFileSync(file, token);
  return file;
}

describe("signalbox explain", () => {
  it("prints one line for each candidate, with its outcome and why, and nothing that moves a terminal", async () => {
    const signalbox = await daemon();
    const { code, out } = await signalbox("explain", "orders.shop");
    expect(code).toBe(0);
    expect(out).toBe(`shop/orders.shop.svc.cluster.local
  from   kubernetes/shop: orders
  from   eureka/dc1: ORDERS (identity rule 2)
  merge  failover kubernetes/*, eureka/*
  also   orders.example

PORT  ADDRESS        REGISTRY         OUTCOME  STAGE  STATE                                                FOUND  WHY
http  10.0.0.1:8080  eureka/dc1       SERVED   merge  HEALTHY weight 1
http  10.0.0.1:8080  kubernetes/shop  STANDBY  merge  DEGRADED weight 3 priority 1 (was HEALTHY weight 1)         after \\u001b[31mkubernetes/*
http  10.0.0.2:8080  eureka/dc1       GHOST    drift  not served (HEALTHY weight 1)                        GHOST  no pod has 10.0.0.2

CONFLICT              KEPT                   DROPPED
ports[http].protocol  kubernetes/shop: GRPC  eureka/dc1: 7

NOTE                WHY
CLUSTERIP_ENDPOINT  eureka/main lists 10.96.0.7:80

PORT  DEPARTED       REGISTRY    AT
http  10.0.0.9:8080  eureka/dc1  2026-01-31T12:00:00.000Z
`);
  });

  it("prints what became of one address", async () => {
    const signalbox = await daemon();
    const { out } = await signalbox("explain", "orders.shop", "10.0.0.2:8080");
    expect(out).toContain("GHOST");
    expect(out).not.toContain("10.0.0.1");
  });

  it("prints of an absent address when it left, and what is nearly so", async () => {
    const signalbox = await daemon();
    const { code, out } = await signalbox("explain", "orders.shop", "10.0.0.9:8080");
    expect(code).toBe(0);
    expect(out).toContain("No registry tells of 10.0.0.9:8080 in shop/orders.shop.svc.cluster.local. It left.");
    expect(out).toContain("2026-01-31T12:00:00.000Z");
    expect(out).toContain("Nearly the same address:\n  10.0.0.1:8080\n");
  });

  it("prints the daemon's answer as JSON", async () => {
    const signalbox = await daemon();
    const { out } = await signalbox("explain", "orders.shop", "10.0.0.2", "--json");
    expect(JSON.parse(out)).toMatchObject({ found: true, candidates: [{ outcome: { code: "GHOST" } }] });
  });

  it("ends with 1 and the services that may be meant", async () => {
    const signalbox = await daemon();
    expect(await signalbox("explain", "orders")).toEqual({
      code: 1,
      out: "",
      err: `signalbox: Several services are called orders; give one of these keys (SBX_SERVICE_AMBIGUOUS)
  bank/orders.bank.svc.cluster.local
  shop/orders.shop.svc.cluster.local
`,
    });
    expect((await signalbox("explain", "order.shop.svc.cluster.local")).err).toBe(
      "signalbox: There is no service order.shop.svc.cluster.local. Did you mean shop/orders.shop.svc.cluster.local? (SBX_SERVICE_UNKNOWN)\n",
    );
  });
});

describe("signalbox drift", () => {
  const drift: ApiSources["drift"] = () => [
    {
      service: orders.key,
      registry: eureka,
      address: "10.0.0.2:8080",
      verdict: "GHOST",
      action: "exclude",
      since: now,
      detail: "no pod has 10.0.0.2",
    },
  ];

  it("prints a table, or says that there is nothing", async () => {
    const signalbox = await daemon({ drift });
    expect((await signalbox("drift")).out).toBe(`\
SERVICE                             ADDRESS        REGISTRY    VERDICT  ACTION   SINCE                     WHY
shop/orders.shop.svc.cluster.local  10.0.0.2:8080  eureka/dc1  GHOST    exclude  2026-01-31T12:00:00.000Z  no pod has 10.0.0.2
`);
    expect((await signalbox("drift", "orders.bank")).out).toBe("Nothing to show.\n");
  });

  it("hands its filters on", async () => {
    const signalbox = await daemon({ drift });
    const { out } = await signalbox("drift", "orders.shop", "--registry", "eureka/*", "--verdict", "GHOST", "--json");
    expect((JSON.parse(out) as { items: object[] }).items).toHaveLength(1);
    expect((await signalbox("drift", "--verdict", "X")).err).toContain("verdict: must be one of CONFIRMED, GHOST");
  });

  it("says what to configure where nothing is compared", async () => {
    const signalbox = await daemon();
    expect(await signalbox("drift")).toMatchObject({
      code: 1,
      err: "signalbox: No registry is compared with workloads: configure drift (SBX_NOT_CONFIGURED)\n",
    });
  });
});

describe("signalbox migration", () => {
  const side = (registries: string, candidates: readonly MigrationCandidate[]): MigrationInput["from"] => ({
    registries,
    sources: [{ id: registries, state: "SYNCED" }],
    candidates,
    ports: [{ name: "http", number: 80, protocol: "HTTP" }],
  });
  const report = (from: readonly MigrationCandidate[], to: readonly MigrationCandidate[]) =>
    migrationReport({
      service: orders.key,
      from: side("eureka/*", from),
      to: side("kubernetes/*", to),
      now,
      paritySince: now - 60_000,
      rules: { parity: 1, forMs: 60_000 },
    });
  const labelled = (version: string) => candidate("10.0.0.1:8080", { labels: { version } });

  it("ends with 0 when the service is ready", async () => {
    const signalbox = await daemon({ migration: () => ({ report: report([served], [served]) }) });
    expect(await signalbox("migration", "orders.shop")).toEqual({
      code: 0,
      out: `shop/orders.shop.svc.cluster.local from eureka/* to kubernetes/*: ready
  parity  100 % (1 of 1 endpoints), for 60 s
`,
      err: "",
    });
  });

  it("ends with 1 and what blocks when it is not", async () => {
    const ramp = {
      state: "HELD",
      weights: { "eureka/*": 90, "kubernetes/*": 10 },
      nextStepAt: now,
      detail: "2 ghosts",
    };
    const signalbox = await daemon({
      migration: () => ({ report: report([labelled("v1"), ghost], [labelled("v2")]), ramp }),
    });
    expect(await signalbox("migration", "orders.shop")).toEqual({
      code: 1,
      out: `shop/orders.shop.svc.cluster.local from eureka/* to kubernetes/*: not ready
  parity  50 % (1 of 2 endpoints)
  ramp    HELD: eureka/* 90, kubernetes/* 10; next step at 2026-01-31T12:00:00.000Z
          2 ghosts

BLOCKER        WHY
GHOST_PRESENT  10.0.0.2:8080
PARITY_BELOW   parity is 0.5, the rules ask for 1

ONLY IN   ADDRESS        REGISTRY    VERDICT  OUTCOME
eureka/*  10.0.0.2:8080  eureka/dc1  GHOST    GHOST

DIFFERENT              FROM  TO
10.0.0.1:8080 version  v1    v2

ENDPOINTS          FROM  TO
version (unknown)  1     0
version v1         1     0
version v2         0     1
zone (unknown)     2     1
`,
      err: "",
    });
  });

  it("asks between the sides that are given, and prints JSON with the same exit code", async () => {
    const asked: unknown[] = [];
    const signalbox = await daemon({
      migration: (service, sides) => {
        asked.push([service, sides]);
        return { report: report([served], []) };
      },
    });
    const { code, out } = await signalbox("migration", orders.key, "--from", "eureka/*", "--to", "k/*", "--json");
    expect(code).toBe(1);
    expect(JSON.parse(out)).toMatchObject({ ready: false, blockers: [{ code: "PARITY_BELOW" }] });
    expect(asked).toEqual([[orders.key, { from: "eureka/*", to: "k/*" }]]);
  });

  it("ends with 2 when nobody knows", async () => {
    const signalbox = await daemon({ migration: () => undefined });
    expect(await signalbox("migration", "orders.shop")).toMatchObject({ code: 2, out: "" });
    expect(await signalbox("migration", "nothing")).toMatchObject({ code: 2, out: "" });
    expect(await signalbox("migration", "orders.shop", "--url", "http://127.0.0.1:1")).toMatchObject({ code: 2 });
  });
});

describe("signalbox override", () => {
  function overridden() {
    const added: unknown[] = [];
    const journal: AcceptedWrite[] = [];
    const more: Partial<ApiSources> = {
      addOverride: (override) => {
        added.push(override);
        return { type: "done", value: { id: "o1", ...override } };
      },
      journalled: (write) => void journal.push(write),
    };
    return { added, journal, more };
  }
  const flags = ["--for", "10m", "--reason", "it leaks"];

  it.each([
    [["--drain"], { type: "drain" }, "is drained"],
    [["--hold"], { type: "hold" }, "is held"],
    [["--weight", "0"], { type: "weight", weight: 0 }, "has the weight 0"],
  ])("tells the daemon %j", async (given, action, words) => {
    const { added, journal, more } = overridden();
    const signalbox = await daemon(more);
    const told = await signalbox(
      ...["override", "orders.shop", "10.0.0.2", ...given, ...flags, "--token-file", tokenFile()],
    );
    expect(told).toEqual({
      code: 0,
      out: `10.0.0.2:8080 of shop/orders.shop.svc.cluster.local ${words} until 2026-01-31T12:10:00.000Z (override o1)\n`,
      err: "",
    });
    expect(added).toMatchObject([{ address: "10.0.0.2:8080", action, author: "ann", reason: "it leaks" }]);
    expect(journal).toMatchObject([{ action: "override-add", remote: "127.0.0.1" }]);
  });

  it("prints JSON, and names another author", async () => {
    const signalbox = await daemon(overridden().more);
    const { out } = await signalbox(
      ...["override", "orders.shop", "10.0.0.2", "--hold", ...flags, "--author", "bob", "--json"],
      ...["--token-file", tokenFile()],
    );
    expect(JSON.parse(out)).toMatchObject({ id: "o1", author: "bob" });
  });

  it.each([
    ["no token", [], "--token-file names the file with the token"],
    ["a wrong token", ["--token-file", "wrong"], "The token is not the one that is configured (SBX_TOKEN)"],
  ])("ends with 1 with %s", async (_, given, words) => {
    const { added, more } = overridden();
    const signalbox = await daemon(more);
    const token = given.map((one) => (one === "wrong" ? tokenFile("wrong") : one));
    const told = await signalbox("override", "orders.shop", "10.0.0.2", "--hold", ...flags, ...token);
    expect(told.code).toBe(1);
    expect(told.err).toContain(words);
    expect(added).toEqual([]);
  });

  it.each([
    [["--hold", "--drain", ...flags], "cannot be used with"],
    [flags, "give one of --hold, --drain and --weight"],
    [["--hold", "--for", "1m"], "required option '--reason <text>' not specified"],
    [["--hold", "--reason", "x"], "required option '--for <time>' not specified"],
    [["--weight", "-1", ...flags], "whole number"],
    [["--hold", ...flags, "--token-file", "/nowhere"], "/nowhere cannot be read"],
  ])("ends with 2 for %j", async (given, words) => {
    const { added, more } = overridden();
    const signalbox = await daemon(more);
    const told = await signalbox("override", "orders.shop", "10.0.0.2", ...given);
    expect(told.err).toContain(words);
    expect(told.code).toBe(2);
    expect(added).toEqual([]);
  });

  it("ends with 2 where the token's file holds none, and where nobody says who does it", async () => {
    const signalbox = await daemon();
    const args = ["override", "orders.shop", "10.0.0.2", "--hold", ...flags];
    expect((await signalbox(...args, "--token-file", tokenFile("a b"))).err).toContain("holds no token");
    expect(await run({}, ...args)).toMatchObject({ code: 2, err: expect.stringContaining("--author") as unknown });
  });

  it("passes on what the daemon finds wrong", async () => {
    const signalbox = await daemon(overridden().more);
    const told = await signalbox(
      ...["override", "orders.shop", "10.0.0.20:8080", "--hold", "--for", "2d", "--reason", "x"],
      ...["--token-file", tokenFile()],
    );
    expect(told).toMatchObject({ code: 1 });
    expect(told.err).toContain("for: must be more than 0 and at most 24h");
    const unknown = await signalbox(
      ...["override", "orders.shop", "10.0.0.20:8080", "--hold", ...flags, "--token-file", tokenFile()],
    );
    expect(unknown.err).toContain("SBX_ADDRESS_UNKNOWN)\n  10.0.0.2:8080\n");
  });
});

describe("signalbox override list and remove", () => {
  const standing: Override = {
    ...{ id: "o1", service: orders.key, address: "10.0.0.2:8080", action: { type: "weight", weight: 5 } },
    ...{ author: "bob", reason: "it leaks", since: now, until: now + 600_000 },
  };

  it("lists those in force", async () => {
    const signalbox = await daemon({ overrides: () => [standing] });
    expect(await signalbox("override", "list")).toEqual({
      code: 0,
      out: `ID  SERVICE                             ADDRESS        ACTION    UNTIL                     AUTHOR  REASON
o1  shop/orders.shop.svc.cluster.local  10.0.0.2:8080  weight 5  2026-01-31T12:10:00.000Z  bob     it leaks
`,
      err: "",
    });
    const { out } = await signalbox("override", "list", "--json");
    expect(JSON.parse(out)).toMatchObject({ items: [{ id: "o1" }] });
    const none = await daemon({ overrides: () => [] });
    expect((await none("override", "list")).out).toBe("There are no overrides.\n");
  });

  it("ends one in the name of who does it", async () => {
    const removed: unknown[] = [];
    const signalbox = await daemon({
      removeOverride: (...given) => {
        removed.push(given);
        return given[0] === "o1" ? { type: "done", value: standing } : { type: "absent" };
      },
    });
    const told = await signalbox("override", "remove", "o1", "--reason", "over", "--token-file", tokenFile());
    expect(told).toEqual({
      code: 0,
      out: "10.0.0.2:8080 of shop/orders.shop.svc.cluster.local is as its registries say (override o1 is over)\n",
      err: "",
    });
    await signalbox("override", "remove", "o1", "--author", "eve", "--token-file", tokenFile());
    expect(removed).toEqual([
      ["o1", "ann"],
      ["o1", "eve"],
    ]);
    const unknown = await signalbox("override", "remove", "o9", "--token-file", tokenFile());
    expect(unknown).toMatchObject({ code: 1, err: "signalbox: There is no override o9 (SBX_ID_UNKNOWN)\n" });
  });
});

describe("signalbox ramp", () => {
  it.each(["rollback", "resume"] as const)("tells the daemon to %s", async (action) => {
    const told: unknown[] = [];
    const signalbox = await daemon({
      rampAction: (...given) => {
        told.push(given);
        return {
          type: "done",
          value: { state: "ROLLED_BACK", weights: { "eureka/main": 90, "kubernetes/main": 10 }, detail: "step 1 of 3" },
        };
      },
    });
    const { code, out } = await signalbox("ramp", action, "orders.shop", "--token-file", tokenFile());
    expect(code).toBe(0);
    expect(out).toBe("the ramp of orders.shop is ROLLED_BACK: eureka/main 90, kubernetes/main 10 (step 1 of 3)\n");
    expect(told).toEqual([[orders.key, action, "ann"]]);
  });

  it("passes on a refusal", async () => {
    const signalbox = await daemon({ rampAction: () => ({ type: "refused", reason: "it is RUNNING" }) });
    const told = await signalbox("ramp", "resume", "orders.shop", "--token-file", tokenFile());
    expect(told).toMatchObject({ code: 1, err: "signalbox: it is RUNNING (SBX_WRITE_REFUSED)\n" });
  });
});

describe("a command that asks a daemon", () => {
  it("finds it by --url before SIGNALBOX_URL", async () => {
    const signalbox = await daemon();
    const told = await signalbox("explain", "orders.shop", "--url", "http://127.0.0.1:1/");
    expect(told).toMatchObject({ code: 1, out: "" });
    expect(told.err).toContain("http://127.0.0.1:1/ does not answer");
    expect(told.err).toContain("--url names another daemon");
  });

  it.each(["nowhere", "ftp://127.0.0.1", ""])("ends with 2 for the address %j", async (url) => {
    expect(await run({ SIGNALBOX_URL: "" }, "explain", "x", "--url", url)).toMatchObject({
      code: 2,
      err: `signalbox: "${url}" is not an address such as http://127.0.0.1:15014\n`,
    });
  });

  it.each([
    ["answers no JSON", 200, "hello"],
    ["answers JSON of its own", 404, '{"message":"no"}'],
    ["leads elsewhere", 302, ""],
  ])("does not take for one what %s", async (_, status, body) => {
    const server = createServer((_request, response) => {
      response.writeHead(status, { location: "/v2" }).end(body);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const told = await run({}, "explain", "x", "--url", url);
    expect(told).toMatchObject({ code: 1, out: "" });
    expect(told.err).toContain("--url names another daemon");
  });

  it("says so where the daemon has no API", async () => {
    const server = createDebugServer({
      port: 0,
      sources: {
        version: { version: "0.1.0" },
        readiness: () => [],
        catalog: () => undefined,
        registries: () => [],
        clients: () => [],
      },
    });
    onTestFinished(() => server.close());
    const { url } = await server.listen();
    expect((await run({}, "drift", "--url", url)).err).toBe(
      `signalbox: the Signalbox at ${url} has no API under /v1\n`,
    );
  });
});
