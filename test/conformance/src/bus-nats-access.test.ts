import { readFileSync } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createNatsBus } from "@signalbox/event-bus/nats";
import type { NatsBusOptions } from "@signalbox/event-bus/nats";
import type { LogBus } from "@signalbox/event-bus";
import {
  createAuthority,
  freePort,
  runCommand,
  builtModule,
  startLink,
  startNats,
  waitFor,
} from "@signalbox/test-servers";
import type { RunningNats } from "@signalbox/test-servers";
import { nkeys } from "@nats-io/transport-node";
import { afterEach, describe, expect, it } from "vitest";
import { BusFollower, contentOf, entryOf, upsert } from "./bus-actors.ts";
import { administer, logStreams } from "./nats-admin.ts";

const cleanup: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const act of cleanup.splice(0).reverse()) await act();
});

async function server(config: string): Promise<RunningNats> {
  const nats = await startNats({ own: true, config });
  cleanup.push(() => nats.stop());
  return nats;
}

function open(options: Omit<NatsBusOptions, "catalog"> & { readonly catalog?: string }): LogBus {
  const bus = createNatsBus({ catalog: "access", ...options });
  cleanup.push(() => bus.close());
  return bus;
}

function follow(bus: LogBus): BusFollower {
  const follower = new BusFollower(bus);
  cleanup.push(() => follower.end());
  return follower;
}

/** Leads with one service, so that all of the bus is used once. */
async function lead(bus: LogBus) {
  return bus.lead(() => contentOf([entryOf("a", 1)]), AbortSignal.timeout(15_000));
}

/** What the bus says about the server while somebody wants to lead. */
async function complaintOf(bus: LogBus): Promise<string> {
  const end = new AbortController();
  const leading = bus.lead(() => contentOf([]), end.signal).catch(() => undefined);
  try {
    return await waitFor(() => bus.status().error, { what: "a complaint about the server" });
  } finally {
    end.abort();
    await leading;
  }
}

describe("NATS as a bus: who may use it", () => {
  it("leads and follows with a user and a password, and says so when the server refuses", async () => {
    const nats = await server('authorization { user: "bus", password: "right" }');
    let password = "wrong";
    const bus = open({ servers: [nats.url], auth: { type: "password", user: "bus", password: () => password } });
    expect(await complaintOf(bus)).toContain("Authorization Violation");
    expect(await complaintOf(bus)).not.toContain("wrong");
    expect(await complaintOf(open({ servers: [nats.url] }))).toContain("Authorization Violation");
    // A secret that was rotated is read again.
    password = "right";
    const writer = await lead(bus);
    await follow(bus).at({ epoch: writer.epoch, sequence: 0 });
  });

  it("leads and follows with a token", async () => {
    const nats = await server('authorization { token: "right" }');
    const bus = open({ servers: [nats.url], auth: { type: "token", token: "right" } });
    const writer = await lead(bus);
    await follow(bus).at({ epoch: writer.epoch, sequence: 0 });
    const other = open({ servers: [nats.url], auth: { type: "token", token: () => Promise.resolve("wrong") } });
    expect(await complaintOf(other)).toContain("Authorization Violation");
  });

  it("leads and follows with an NKey", async () => {
    const pair = nkeys.createUser();
    const nats = await server(`authorization { users = [{ nkey: ${pair.getPublicKey()} }] }`);
    const seed = new TextDecoder().decode(pair.getSeed());
    const bus = open({ servers: [nats.url], auth: { type: "nkey", seed: `${seed}\n` } });
    const writer = await lead(bus);
    await follow(bus).at({ epoch: writer.epoch, sequence: 0 });
  });

  it("follows in a reader's role, which can neither publish nor lead", async () => {
    const read = ["$JS.API.CONSUMER.CREATE.*.>", "$JS.API.CONSUMER.MSG.NEXT.*.>"];
    const roles = {
      writer: [...read, "$JS.API.STREAM.>", "signalbox.access.>"],
      reader: [...read, "$JS.API.STREAM.INFO.*", "$JS.API.STREAM.MSG.GET.*"],
    };
    const users = Object.entries(roles).map(([user, publish]) => {
      const permissions = { publish, subscribe: ["_INBOX.>", "signalbox.access.control"] };
      return { user, password: user.slice(0, 1), permissions };
    });
    // The server's own format takes JSON.
    const nats = await server(`authorization { users = ${JSON.stringify(users)} }`);
    const writing = open({ servers: [nats.url], auth: { type: "password", user: "writer", password: "w" } });
    const writer = await lead(writing);
    const reading = open({ servers: [nats.url], auth: { type: "password", user: "reader", password: "r" } });
    const follower = follow(reading);
    await follower.at({ epoch: writer.epoch, sequence: 0 });
    await follower.at(await writer.publish(upsert([entryOf("b", 1)])));

    const log = `signalbox.access.log.${writer.epoch}`;
    await administer({ servers: nats.url, user: "reader", pass: "r" }, async (manager, client) => {
      await expect(client.publish(log, "x")).rejects.toThrow(/Permissions Violation/);
      await expect(client.publish("signalbox.access.control", "x")).rejects.toThrow(/Permissions Violation/);
      await expect(manager.streams.delete("SIGNALBOX_access_CONTROL")).rejects.toThrow(/Permissions Violation/);
    });
    await writing.close();
    expect(await complaintOf(reading)).toContain("Permissions Violation");
  });
});

describe("NATS as a bus: the roles in the guide", () => {
  const guide = readFileSync(join(import.meta.dirname, "../../../docs/guide/scale-out.md"), "utf8");
  const documented = (/^accounts \{\n[^]*?^\}$/m.exec(guide)?.[0] ?? "")
    .replace("$WRITER", '"w"')
    .replace("$READER", '"r"');
  const writer = { type: "password", user: "writer", password: "w" } as const;
  const reader = { type: "password", user: "reader", password: "r" } as const;

  function openAs(auth: typeof writer | typeof reader, { url }: RunningNats, said: string[] = []): LogBus {
    const logger = { info: () => undefined, warn: (_: string, fields?: object) => said.push(JSON.stringify(fields)) };
    return open({ catalog: "signalbox", servers: [url], auth, limits: { compactAfterBytes: 10_000 }, logger });
  }

  it("are enough to lead, to shut out who led before, to keep the log short, to give the lead back and to follow", async () => {
    const nats = await server(documented);
    const troubles: string[] = [];
    const first = openAs(writer, nats, troubles);
    const follower = follow(openAs(reader, nats, troubles));
    await follower.at({ epoch: (await lead(first)).epoch, sequence: 0 });
    await first.close();
    const began = performance.now();
    const writing = await lead(openAs(writer, nats, troubles));
    // It had been given back.
    expect(performance.now() - began).toBeLessThan(3000);
    for (let generation = 2; generation <= 300; generation++) await writing.publish(upsert([entryOf("a", generation)]));
    await follower.at({ epoch: writing.epoch, sequence: 299 });
    await administer({ servers: nats.url, user: "writer", pass: "w" }, async (manager) => {
      const log = `SIGNALBOX_signalbox_LOG_${writing.epoch.replace("-", "_")}`;
      expect(await logStreams(manager)).toEqual([log]);
      await waitFor(async () => (await manager.streams.info(log)).state.messages < 150, { what: "a short log" });
    });
    expect(troubles).toEqual([]);
  });

  it("do not let a reader lead", async () => {
    const nats = await server(documented);
    expect(await complaintOf(openAs(reader, nats))).toContain("Permissions Violation");
  });

  it.each(["CREATE", "UPDATE", "MSG.GET"])("are not enough without the writer's $JS.API.STREAM.%s", async (call) => {
    const less = documented.replace(`"$JS.API.STREAM.${call}.*",`, "");
    expect(less).not.toBe(documented);
    const nats = await server(less);
    const bus = openAs(writer, nats);
    const end = new AbortController();
    const leading = (async () => {
      // A second claim has to shut the first one out.
      for (;;) await bus.lead(() => contentOf([]), end.signal);
    })().catch((error: unknown) => String(error));
    const complaint = await Promise.race([
      leading,
      waitFor(() => bus.status().error, { what: "a complaint about the server" }),
    ]);
    expect(complaint).toContain("Permissions Violation");
    end.abort();
    await leading;
  });
});

describe("NATS as a bus: TLS", () => {
  it("trusts the authority it was given, and shows its own certificate", async () => {
    const dir = await mkdtemp(join(tmpdir(), "signalbox-bus-tls-"));
    cleanup.push(() => rm(dir, { recursive: true, force: true }));
    const authority = await createAuthority(dir);
    const subject = { commonName: "nats", alternativeNames: ["IP:127.0.0.1", "DNS:localhost"] };
    const files = await authority.issue("nats", subject);
    const mine = await authority.issue("client", { commonName: "bus" });
    const nats = await server(
      `tls { cert_file: "${files.certFile}", key_file: "${files.keyFile}", ca_file: "${authority.caFile}", verify: true }`,
    );
    const ca = () => readFile(authority.caFile, "utf8");
    const cert = () => readFile(mine.certFile, "utf8");
    const key = () => readFile(mine.keyFile, "utf8");
    const bus = open({ servers: [nats.url], tls: { ca, cert, key } });
    const writer = await lead(bus);
    await follow(bus).at({ epoch: writer.epoch, sequence: 0 });

    expect(await complaintOf(open({ servers: [nats.url], tls: { cert, key } }))).toContain(
      "unable to verify the first certificate",
    );
    // The server ends a handshake without a certificate; how that shows differs from version to version.
    expect(await complaintOf(open({ servers: [nats.url], tls: { ca } }))).toMatch(/certificate|closed|ECONNRESET|lost/);
    const localhost = nats.url.replace("127.0.0.1", "localhost");
    await follow(open({ servers: [localhost], tls: { ca, cert, key } })).at({ epoch: writer.epoch, sequence: 0 });
  });

  it("does without a server that offers no TLS, when TLS is asked for", async () => {
    const nats = await server("");
    expect(await complaintOf(open({ servers: [nats.url], tls: {} }))).toContain("does not support 'tls'");
  });
});

describe("NATS as a bus: the connection", () => {
  it("may be made before the server runs, and takes the server that answers", async () => {
    const [down, port] = [await freePort(), await freePort()];
    const bus = open({ servers: [`127.0.0.1:${down}`, `nats://127.0.0.1:${port}`] });
    const leading = lead(bus);
    const follower = follow(bus);
    await waitFor(() => bus.status().error, { what: "a complaint about the server" });
    expect(bus.status().error).toContain("ECONNREFUSED");
    const nats = await startNats({ own: true, port });
    cleanup.push(() => nats.stop());
    await follower.at({ epoch: (await leading).epoch, sequence: 0 });
  });

  it("notices within seconds that a server hangs, keeps what it has, and goes on when the server does", async () => {
    const nats = await server("");
    const bus = open({ servers: [nats.url] });
    const writer = await lead(bus);
    const reading = open({ servers: [nats.url] });
    const follower = follow(reading);
    const catalog = await follower.at({ epoch: writer.epoch, sequence: 0 });
    nats.freeze();
    await waitFor(() => !bus.status().led && reading.status().follower === "unreachable", {
      what: "both to notice",
      deadlineMs: 8000,
    });
    expect(follower.catalog).toBe(catalog);
    const again = lead(bus);
    nats.thaw();
    await follower.at({ epoch: (await again).epoch, sequence: 0 });
  });

  it("stores every change once although the connection is lost all the time", async () => {
    const nats = await server("");
    const link = await startLink(Number(new URL(nats.url).port));
    cleanup.push(() => link.close());
    const bus = open({ servers: [`127.0.0.1:${link.port}`], lease: { ttlMs: 20_000 } });
    const writer = await lead(bus);
    const follower = follow(open({ servers: [nats.url] }));
    let cuts = 0;
    for (let generation = 1; generation <= 40; generation++) {
      const publishing = writer.publish(
        upsert(Array.from({ length: 30 }, (_, index) => entryOf(`s${index}`, generation))),
      );
      if (generation % 4 === 0) {
        cuts++;
        setImmediate(() => {
          link.cut();
          link.up();
        });
      }
      expect(await publishing).toEqual({ epoch: writer.epoch, sequence: generation });
    }
    expect(cuts).toBe(10);
    const catalog = await follower.at({ epoch: writer.epoch, sequence: 40 });
    expect([...catalog.entries.values()].filter(({ service }) => service.labels["generation"] === "40")).toHaveLength(
      30,
    );
  });

  it("lets the process end after it was closed, also when the server hangs", async () => {
    const nats = await server("");
    const script = builtModule("./bus-nats-close.scenario.ts", import.meta.url);
    for (const hangs of [false, true]) {
      if (hangs) nats.freeze();
      const printed = await runCommand(process.execPath, [script, nats.url], { timeoutMs: 15_000 });
      expect(printed).toContain(hangs ? "did not lead" : "led");
    }
  });
});
