import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createRedisBus } from "@signalbox/event-bus/redis";
import type { LogBus } from "@signalbox/event-bus";
import type { RedisBusOptions } from "@signalbox/event-bus/redis";
import { createAuthority, freePort, startRedis, waitFor } from "@signalbox/test-servers";
import type { RunningRedis } from "@signalbox/test-servers";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { Discovery, entryOf, Follower } from "./bus-parties.ts";

const cleanups: (() => Promise<unknown>)[] = [];
const entries = ["a", "b"].map((name) => entryOf(name, 0));
const guide = readFileSync(join(import.meta.dirname, "../../../docs/guide/scale-out.md"), "utf8");
let redis: RunningRedis;
let name: string;

beforeEach(() => {
  name = randomUUID();
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A bus, and all that it logged. */
function open(options: Partial<RedisBusOptions>): { readonly bus: LogBus; readonly lines: string[] } {
  const lines: string[] = [];
  const log = (event: string, fields?: object): void => void lines.push(`${event} ${JSON.stringify(fields)}`);
  const bus = createRedisBus({ name, url: redis.url, logger: { info: log, warn: log }, ...options });
  cleanups.push(() => bus.close());
  return { bus, lines };
}

function discovery(options: Partial<RedisBusOptions> = {}): Discovery {
  return new Discovery(open(options).bus, entries);
}

/** Begins to lead without waiting, and resolves with what the bus says is wrong. */
async function troubleOf({ bus }: { readonly bus: LogBus }): Promise<string> {
  const end = new AbortController();
  const lead = bus.lead(() => new Discovery(bus).content, end.signal);
  lead.catch(() => undefined);
  try {
    return await waitFor(() => bus.status().error, { what: "the bus to say what is wrong" });
  } finally {
    end.abort(new Error("enough"));
    await expect(lead).rejects.toThrow("enough");
  }
}

/** The rules of a user as the guide gives them, for this catalog. */
function rulesOf(user: string): readonly string[] {
  const line = guide.split("\n").find((one) => one.startsWith(`ACL SETUSER ${user} `));
  if (line === undefined) throw new Error(`the guide has no user ${user}`);
  return line.replaceAll("{signalbox:signalbox}", `{signalbox:${name}}`).split(" ");
}

async function addUser(user: string, password: string): Promise<void> {
  const [acl = "", setUser = "", , ...rules] = rulesOf(user);
  const own = rules.map((rule) => (rule.startsWith(">") ? `>${password}` : rule));
  expect(await redis.command(acl, setUser, `${user}-${name}`, ...own)).toBe("+OK");
}

describe("a Redis with users", () => {
  beforeAll(async () => {
    redis = await startRedis({ own: true });
  });
  afterAll(() => redis.stop());

  it("says that a password is wrong, and nowhere which", async () => {
    const opened = open({ username: "nobody", password: "hunter2-secret" });
    expect(await troubleOf(opened)).toMatch(/^redis at 127\.0\.0\.1:\d+: WRONGPASS invalid username-password pair/);
    expect(opened.lines.join("\n")).toContain("WRONGPASS");
    expect(opened.lines.join("\n") + JSON.stringify(opened.bus.status())).not.toContain("hunter2");
  });

  it("says that a user is needed", async () => {
    const secured = await startRedis({ own: true });
    cleanups.push(() => secured.stop());
    await secured.command("CONFIG", "SET", "requirepass", "needed");
    expect(await troubleOf(open({ url: secured.url }))).toContain("NOAUTH");
    const { host } = new URL(secured.url);
    const writer = discovery({ url: `redis://:needed@${host}` });
    await writer.lead();
    const reader = new Follower(open({ url: secured.url, password: "needed" }).bus);
    await reader.agrees(writer);
  });

  it("keeps a secret out of errors also where no server answers, or something else does", async () => {
    const port = await freePort();
    const closed = open({ url: `redis://writer:hunter2@127.0.0.1:${port}` });
    const notRedis = open({ url: redis.url, db: 99, username: "default", password: "hunter2" });
    for (const opened of [closed, notRedis]) {
      await troubleOf(opened);
      expect(opened.lines.join("\n") + JSON.stringify(opened.bus.status())).not.toContain("hunter2");
    }
  });

  it("asks for a password before each connection, so that it may change", async () => {
    await addUser("signalbox-writer", "second");
    const given = ["first", "second"];
    let asked = 0;
    const password = (): Promise<string> => Promise.resolve(given[Math.min(asked++, 1)] ?? "");
    const writer = discovery({ username: `signalbox-writer-${name}`, password });
    await writer.lead();
    expect(asked).toBe(2);
    await redis.command("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
    await writer.say(entryOf("a", 1));
    expect(asked).toBeGreaterThan(2);
  });

  it("needs no more rights for writing and reading than the guide gives", async () => {
    await addUser("signalbox-writer", "w");
    await addUser("signalbox-reader", "r");
    const limits = { compactAfterBytes: 0 };
    const as = { username: `signalbox-writer-${name}`, password: "w" };
    const first = open({ ...as, limits });
    const writer = new Discovery(first.bus, entries);
    await writer.lead();
    const read = open({ username: `signalbox-reader-${name}`, password: "r" });
    const reader = new Follower(read.bus);
    for (let generation = 1; generation <= 20; generation++) await writer.say(entryOf("a", generation));
    await reader.agrees(writer);
    await writer.close();
    const next = open(as);
    const second = new Discovery(next.bus, entries);
    await second.lead();
    await reader.agrees(second);
    await redis.command("FLUSHALL");
    await second.leadAgain();
    await reader.agrees(second);
    for (const { bus, lines } of [first, read, next]) {
      expect(lines.join("\n")).not.toContain("NOPERM");
      expect(bus.status().error ?? "").not.toContain("NOPERM");
    }
  });

  it("lets a reader neither lead nor touch what the writer wrote, and a writer nothing else", async () => {
    await addUser("signalbox-writer", "w");
    await addUser("signalbox-reader", "r");
    const writer = discovery({ username: `signalbox-writer-${name}`, password: "w" });
    await writer.lead();
    const as = { username: `signalbox-reader-${name}`, password: "r" };
    expect(await troubleOf(open(as))).toContain("NOPERM");
    const { host } = new URL(redis.url);
    for (const [user, password, url] of [
      [`signalbox-reader-${name}`, "r", "{signalbox:other}:head"],
      [`signalbox-writer-${name}`, "w", "{signalbox:other}:head"],
    ] as const) {
      const other = open({ url: `redis://${user}:${password}@${host}`, name: "other" });
      const following = new Follower(other.bus);
      cleanups.push(() => following.close());
      expect(await waitFor(() => other.bus.status().error, { what: "the bus to say what is wrong" })).toContain(
        "NOPERM",
      );
      expect(await redis.command("EXISTS", url)).toBe(":0");
    }
    const mayRun = (user: string, ...command: string[]): Promise<string> =>
      redis.command("ACL", "DRYRUN", `${user}-${name}`, ...command);
    const key = `{signalbox:${name}}:head`;
    expect(await mayRun("signalbox-writer", "XADD", key, "*", "f", "v")).toBe("+OK");
    expect(await mayRun("signalbox-writer", "FLUSHALL")).toContain("no permissions");
    expect(await mayRun("signalbox-writer", "KEYS", "*")).toContain("no permissions");
    expect(await mayRun("signalbox-reader", "XREVRANGE", key, "+", "-")).toBe("+OK");
    for (const command of ["XADD", "XTRIM", "DEL", "UNLINK", "EVAL", "SET"])
      expect(await mayRun("signalbox-reader", command, key, "1", "f", "v")).toContain("no permissions");
  });
});

describe("a Redis with TLS", () => {
  const dir = mkdtempSync(join(tmpdir(), "signalbox-redis-tls-"));
  const pem = (file: string): string => readFileSync(file, "utf8");
  let url: string;
  let ca: string;
  let stranger: string;
  let client: { readonly cert: string; readonly key: string };

  beforeAll(async () => {
    const authority = await createAuthority(dir);
    const server = await authority.issue("server", {
      commonName: "redis",
      alternativeNames: ["DNS:localhost", "DNS:redis.example"],
    });
    const issued = await authority.issue("client", { commonName: "client" });
    client = { cert: pem(issued.certFile), key: pem(issued.keyFile) };
    ca = pem(authority.caFile);
    const strangerDir = mkdtempSync(join(dir, "stranger-"));
    stranger = pem((await createAuthority(strangerDir)).caFile);
    const port = await freePort();
    url = `rediss://localhost:${port}`;
    const files = ["--tls-cert-file", server.certFile, "--tls-key-file", server.keyFile];
    const trust = ["--tls-ca-cert-file", authority.caFile, "--tls-auth-clients", "yes"];
    redis = await startRedis({ own: true, args: ["--tls-port", String(port), ...files, ...trust] });
  });
  afterAll(async () => {
    await redis.stop();
    rmSync(dir, { recursive: true });
  });

  it("serves who trusts its authority and shows a certificate", async () => {
    const writer = discovery({ url, tls: { ca, ...client } });
    await writer.lead();
    const reader = new Follower(open({ url, tls: () => Promise.resolve({ ca, ...client }) }).bus);
    await writer.say(entryOf("a", 1));
    await reader.agrees(writer);
    expect(await redis.command("DBSIZE")).not.toBe(":0");
  });

  it("is known by another name than the host's, where one is given", async () => {
    const address = url.replace("localhost", "127.0.0.1");
    expect(await troubleOf(open({ url: address, tls: { ca, ...client } }))).toContain("127.0.0.1 is not in the cert");
    const writer = discovery({ url: address, tls: { ca, ...client, serverName: "redis.example" } });
    await writer.lead();
  });

  it.each([
    ["an authority that did not sign", () => ({ ca: stranger, ...client }), /certificate/],
    ["the well-known authorities", () => client, /certificate/],
    ["no certificate to show", () => ({ ca }), /closed|certificate|alert/],
    ["a key that is none", () => ({ ca, cert: client.cert, key: "none" }), /PEM|key|start line|DECODER/i],
  ])("refuses who has %s, and says why", async (_, tls, why) => {
    expect(await troubleOf(open({ url, tls: tls() }))).toMatch(why);
  });

  it("does not go without TLS where one side has none", async () => {
    expect(await troubleOf(open({ url: url.replace("rediss:", "redis:"), callMs: 500 }))).toMatch(
      /closed|ECONNRESET|no answer/,
    );
    const plain = redis.url.replace("redis:", "rediss:");
    expect(await troubleOf(open({ url: plain, tls: { ca }, callMs: 500 }))).toMatch(
      /SSL|wrong version|closed|no answer/,
    );
  });
});
