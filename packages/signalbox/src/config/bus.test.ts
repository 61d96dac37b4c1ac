import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TLSSocket } from "node:tls";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { eventually } from "../testing/eventually.ts";
import { openBus } from "./bus.ts";
import { parseConfig } from "./check.ts";
import type { SignalboxConfigInput } from "./schema.ts";

const certificates = join(import.meta.dirname, "../../../../test/certificates");
const pem = (name: string): string => readFileSync(join(certificates, name), "utf8");

let dir: string;
let ends: (() => unknown)[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "bus-config-test-"));
  ends = [];
});
afterEach(async () => {
  for (const end of ends.reverse()) await end();
  rmSync(dir, { recursive: true, force: true });
});

type BusInput = NonNullable<SignalboxConfigInput["bus"]>;

const opened = (bus: BusInput) =>
  openBus(parseConfig({ bus }).bus, { baseDir: dir, logger: { info: () => undefined, warn: () => undefined } });

/** Opens the bus and lets it connect, as a reader does, until the test ends. */
async function use(config: BusInput): Promise<void> {
  const bus = await opened(config);
  if (bus === undefined) throw new Error("no bus between processes");
  const end = new AbortController();
  const reading = (async () => {
    // Nothing comes: it is not let in.
    for await (const event of bus.subscribe("test", end.signal)) expect(event).toBeUndefined();
  })();
  ends.push(async () => {
    end.abort();
    await reading;
    await bus.close();
  });
}

/** What is said to a client that connects, where a connection is made TLS, and how a login is refused. */
interface Manners {
  readonly greeting?: string;
  readonly refusal: string;
  /** What a client says that wants to log in. */
  readonly login: RegExp;
  readonly tls: boolean;
}

const tlsOfServer = { cert: pem("server.crt"), key: pem("server.key"), ca: pem("ca.crt"), requestCert: true };
const info = (tls: boolean) =>
  `INFO ${JSON.stringify({ server_id: "A", version: "2.12.0", proto: 1, max_payload: 1_048_576, headers: true, auth_required: true, ...(tls && { tls_required: true }) })}\r\n`;
const nats = (tls: boolean): Manners => ({
  greeting: info(tls),
  login: /^CONNECT (.*)\r\n/m,
  refusal: "-ERR 'Authorization Violation'\r\n",
  tls,
});
const redis = (tls: boolean): Manners => ({
  login: /((?:\$\d+\r\n)?auth\r\n[^*]*)/i,
  refusal: "-WRONGPASS no\r\n",
  tls,
});

/** An engine that lets nobody in, and keeps what it was told. */
async function gatekeeper({ greeting, login, refusal, tls }: Manners) {
  const logins: string[] = [];
  const names: unknown[] = [];
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    if (greeting !== undefined) socket.write(greeting);
    const secure = tls ? new TLSSocket(socket, { isServer: true, ...tlsOfServer }) : undefined;
    secure?.on("error", () => undefined);
    secure?.on("secure", () => names.push(secure.getPeerCertificate().subject.CN));
    const speaking = secure ?? socket;
    let said = "";
    speaking.on("data", (chunk: Buffer) => {
      said += chunk.toString();
      const [, words] = login.exec(said) ?? [];
      if (words === undefined) return;
      logins.push(words);
      said = "";
      speaking.end(refusal);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  return { port, logins, names };
}

describe("the bus of a configuration", () => {
  it("is none between processes unless an engine is named", async () => {
    expect(await openBus(parseConfig({}).bus, { baseDir: dir, logger: { info() {}, warn() {} } })).toBeUndefined();
  });

  it.each<{ bus: BusInput; says: RegExp }>([
    { bus: { type: "redis", url: "redis://127.0.0.1:1", tls: {} }, says: /^bus: redis: tls is given/ },
    { bus: { type: "redis", url: "http://127.0.0.1:1" }, says: /^bus: redis: the URL begins with redis:/ },
    { bus: { type: "nats", servers: ["http://127.0.0.1:1"] }, says: /^bus: servers: expected nats:/ },
  ])("says which field the engine's client cannot use: $bus", async ({ bus, says }) => {
    await expect(opened(bus)).rejects.toMatchObject({
      code: "SBX_CONFIG_INVALID",
      message: expect.stringMatching(says) as string,
    });
  });

  it.each<{ name: string; manners: Manners; bus: (port: number) => BusInput }>([
    {
      name: "the password for NATS",
      manners: nats(false),
      bus: (port) => ({
        type: "nats",
        servers: [`127.0.0.1:${port}`],
        username: "reader",
        password: { file: "secret" },
      }),
    },
    {
      name: "the token for NATS",
      manners: nats(false),
      bus: (port) => ({ type: "nats", servers: [`127.0.0.1:${port}`], token: { file: "secret" } }),
    },
    {
      name: "the password for Redis",
      manners: redis(false),
      bus: (port) => ({
        type: "redis",
        url: `redis://127.0.0.1:${port}`,
        username: "reader",
        password: { file: "secret" },
      }),
    },
  ])("reads the file with $name anew for each connection, without the line's end", async ({ bus, manners }) => {
    writeFileSync(join(dir, "secret"), "before\n");
    const { logins, port } = await gatekeeper(manners);
    await use(bus(port));
    const first = await eventually("a login", () => logins[0]);
    expect(first).toContain("before");
    expect(first).not.toContain("before\\n");
    if (manners.login.source.includes("auth")) expect(first).toContain("reader");
    writeFileSync(join(dir, "secret"), "after\r\n");
    await eventually("a login with the other one", () => logins.at(-1)?.includes("after"));
    expect(logins.at(-1)).not.toContain("before");
  });

  it("shows a password that is in the configuration itself", async () => {
    const { logins, port } = await gatekeeper(nats(false));
    await use({ type: "nats", servers: [`127.0.0.1:${port}`], username: "reader", password: "open" });
    const login = await eventually("a login", () => logins[0]);
    expect(JSON.parse(login)).toMatchObject({ user: "reader", pass: "open" });
  });

  const login = {
    username: "reader",
    password: "open",
    tls: { ca: "ca.pem", cert: "cert.pem", key: { file: "key.pem" } },
  };
  it.each<{ name: string; manners: Manners; bus: (port: number) => BusInput }>([
    { name: "NATS", manners: nats(true), bus: (port) => ({ type: "nats", servers: [`127.0.0.1:${port}`], ...login }) },
    {
      name: "Redis",
      manners: redis(true),
      bus: (port) => ({ type: "redis", url: `rediss://127.0.0.1:${port}`, ...login }),
    },
  ])("reads the certificates for $name anew for each connection, below its own folder", async ({ bus, manners }) => {
    const { names, port } = await gatekeeper(manners);
    copyFileSync(join(certificates, "ca.crt"), join(dir, "ca.pem"));
    const showing = (name: string) => {
      copyFileSync(join(certificates, `${name}.crt`), join(dir, "cert.pem"));
      copyFileSync(join(certificates, `${name}.key`), join(dir, "key.pem"));
    };
    showing("client");
    await use(bus(port));
    expect(await eventually("a client with its certificate", () => names[0])).toBe("client");
    showing("server");
    await eventually("the other certificate", () => names.at(-1) === "server");
  });
});
