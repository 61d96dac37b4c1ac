import { copyFile, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { connect as connectHttp2 } from "node:http2";
import type { ClientHttp2Session } from "node:http2";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import type { TLSSocket } from "node:tls";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { framed, startListener } from "../testing/echo-listener.ts";
import { rawClient } from "../testing/raw-client.ts";
import { waitFor } from "../testing/wait.ts";
import type { Peer } from "../transport.ts";
import { followCertificates, loadCertificates } from "./certificates.ts";
import type { CertificateFiles } from "./certificates.ts";
import { parseSubjectAltName } from "./identities.ts";

const certificates = join(import.meta.dirname, "../../../../test/certificates");
const pem = (name: string): Buffer => readFileSync(join(certificates, name));
let dir: string;
let files: CertificateFiles;
const open: (() => Promise<void> | void)[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "xds-tls-"));
  files = { certFile: join(dir, "tls.crt"), keyFile: join(dir, "tls.key"), caFile: join(dir, "ca.crt") };
  await copyFile(join(certificates, "server.crt"), files.certFile);
  await copyFile(join(certificates, "server.key"), files.keyFile);
  await copyFile(join(certificates, "ca.crt"), files.caFile);
});

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
  await rm(dir, { recursive: true });
});

interface TlsClient {
  readonly session: ClientHttp2Session;
  /** Common name of the server's certificate, when the connection is up. */
  readonly server: () => string | undefined;
}

function connect(port: number): TlsClient {
  let server: string | undefined;
  const session = connectHttp2(`https://127.0.0.1:${port}`, {
    ca: pem("ca.crt"),
    cert: pem("client.crt"),
    key: pem("client.key"),
  });
  open.push(() => session.destroy());
  session.on("error", () => {
    // The waits say so.
  });
  session.on("connect", (_session, socket) => {
    server = String((socket as TLSSocket).getPeerCertificate().subject.CN);
  });
  return { session, server: () => server };
}

async function startTls(): Promise<Awaited<ReturnType<typeof startListener>> & { peers: Peer[] }> {
  const peers: Peer[] = [];
  const started = await startListener({
    tls: await loadCertificates(files),
    limits: { handshakeMs: 300 },
    accept: (call) => {
      peers.push(call.peer);
      return {
        message: (bytes) => {
          call.write(framed(bytes), () => {});
        },
        closed() {},
      };
    },
  });
  open.push(() => started.listener.close());
  return { ...started, peers };
}

async function echo(session: ClientHttp2Session): Promise<void> {
  const stream = session.request({ ":method": "POST", ":path": "/any", "content-type": "application/grpc" });
  let bytes = 0;
  stream.on("data", (chunk: Buffer) => (bytes += chunk.length));
  stream.on("error", () => {
    // The wait says so.
  });
  stream.write(Buffer.concat(framed(Buffer.from("hello"))));
  await waitFor(() => bytes === 10, "the echo");
}

describe("a TLS listener", () => {
  it("knows its client by the names in the certificate", async () => {
    const { port, peers } = await startTls();
    const { session } = connect(port);
    await echo(session);
    expect(peers.map(({ identities }) => identities)).toEqual([
      ["spiffe://cluster.local/ns/default/sa/web", "web.default"],
    ]);
  });

  it.each([
    ["no certificate", "", "h2", "TLS: peer did not return a certificate"],
    ["a certificate of another authority", "stranger", "h2", "TLS: UNABLE_TO_VERIFY_LEAF_SIGNATURE"],
    ["no HTTP/2", "client", "http/1.1", "TLS: no application protocol"],
  ])("turns away a client with %s", async (_name, name, alpn, reason) => {
    const { port, refusals, listener, peers } = await startTls();
    const certificate = name === "" ? {} : { cert: pem(`${name}.crt`), key: pem(`${name}.key`) };
    const client = connectTls({ port, host: "127.0.0.1", ca: pem("ca.crt"), ALPNProtocols: [alpn], ...certificate });
    let closed = false;
    client.on("error", () => {
      // "close" follows.
    });
    client.on("close", () => (closed = true));
    client.resume();
    await waitFor(() => closed, "closed");
    await waitFor(() => listener.status().sockets === 0, "the socket gone");
    expect(refusals).toEqual([reason]);
    expect(peers).toEqual([]);
  });

  it("lets clients in behind many that say nothing, and closes those in time", async () => {
    const { port, listener } = await startTls();
    const silent = await Promise.all(Array.from({ length: 40 }, () => rawClient(port)));
    await echo(connect(port).session);
    await waitFor(() => silent.every(({ closed }) => closed()), "all silent ones closed");
    await waitFor(() => listener.status().sockets === 1, "the socket of the client alone");
  });

  it("serves many clients that come together", async () => {
    const { port, listener, peers } = await startTls();
    await Promise.all(Array.from({ length: 50 }, () => echo(connect(port).session)));
    expect(peers).toHaveLength(50);
    expect(listener.status().connections).toBe(50);
  });

  it("closes while clients wait to be let in", async () => {
    const { port, listener } = await startTls();
    const silent = await Promise.all(Array.from({ length: 40 }, () => rawClient(port)));
    await waitFor(() => listener.status().sockets === 40, "all sockets");
    await listener.close();
    expect(listener.status().sockets).toBe(0);
    await waitFor(() => silent.every(({ closed }) => closed()), "all closed");
  });

  it("closes a client that does not shake hands in time", async () => {
    const { port, listener } = await startTls();
    const silent = await rawClient(port);
    const plain = await rawClient(port, Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    await waitFor(() => silent.closed() && plain.closed(), "both closed");
    await waitFor(() => listener.status().sockets === 0, "the sockets gone");
  });
});

/** Whole at any moment: what is read in the middle of a write in place would count as one more state. */
async function replace(path: string, content: Buffer): Promise<void> {
  await writeFile(`${path}.next`, content);
  await rename(`${path}.next`, path);
}

describe("certificate files", () => {
  async function follow(): Promise<{ port: number; events: string[] }> {
    const { listener, port } = await startTls();
    const events: string[] = [];
    const stop = new AbortController();
    const following = followCertificates(
      files,
      {
        current: await loadCertificates(files),
        everyMs: 10,
        onChange: (certificates) => {
          listener.setSecureContext(certificates);
          events.push("changed");
        },
        onRejected: (error) => events.push(error),
      },
      stop.signal,
    );
    open.push(async () => {
      stop.abort();
      await following;
    });
    return { port, events };
  }

  async function serverName(port: number): Promise<string> {
    const client = connect(port);
    return waitFor(client.server, "a TLS connection");
  }

  it("that change serve new connections, and open streams go on", async () => {
    const { port, events } = await follow();
    const before = connect(port);
    await echo(before.session);
    expect(before.server()).toBe("server");
    await copyFile(join(certificates, "renewed.key"), files.keyFile);
    await copyFile(join(certificates, "renewed.crt"), files.certFile);
    await waitFor(() => events.includes("changed"), "the change");
    expect(await serverName(port)).toBe("renewed");
    await echo(before.session);
  });

  it("that are swapped by a symbolic link are seen", async () => {
    await rm(files.certFile);
    await rm(files.keyFile);
    await symlink(join(certificates, "server.crt"), files.certFile);
    await symlink(join(certificates, "server.key"), files.keyFile);
    const { port, events } = await follow();
    for (const [target, link] of [
      ["renewed.key", files.keyFile],
      ["renewed.crt", files.certFile],
    ] as const) {
      await symlink(join(certificates, target), `${link}.next`);
      await rename(`${link}.next`, link);
    }
    await waitFor(() => events.at(-1) === "changed", "the change");
    expect(await serverName(port)).toBe("renewed");
  });

  it.each([
    ["a key of another certificate", "keyFile", "renewed.key"],
    ["a certificate that is none", "certFile", "make.sh"],
    ["a CA without certificate", "caFile", "make.sh"],
  ] as const)("with %s are reported once, and the old ones stay", async (_name, file, content) => {
    const { port, events } = await follow();
    const good = readFileSync(files[file]);
    await replace(files[file], readFileSync(join(certificates, content)));
    await waitFor(() => events.length > 0, "a report");
    expect(await serverName(port)).toBe("server");
    await replace(files[file], good);
    await replace(files.certFile, Buffer.concat([pem("server.crt"), Buffer.from("\n")]));
    await waitFor(() => events.includes("changed"), "a change to good ones");
    expect(events).toHaveLength(2);
  });

  it("that are gone are reported, and used again when they are back", async () => {
    const { events } = await follow();
    await rm(files.keyFile);
    await waitFor(() => events.length > 0, "a report");
    expect(events[0]).toContain("ENOENT");
    await copyFile(join(certificates, "renewed.key"), files.keyFile);
    await copyFile(join(certificates, "renewed.crt"), files.certFile);
    await waitFor(() => events.includes("changed"), "the change");
  });

  it.each([
    ["a key of another certificate", "keyFile", "renewed.key"],
    ["an empty CA", "caFile", undefined],
    ["a missing file", "certFile", "missing"],
  ] as const)("with %s do not load", async (_name, file, content) => {
    if (content === undefined) await writeFile(files[file], "");
    else if (content === "missing") await rm(files[file]);
    else await copyFile(join(certificates, content), files[file]);
    await expect(loadCertificates(files)).rejects.toMatchObject({ code: "SBX_XDS_CERTIFICATE" });
  });
});

describe("subject alternative names", () => {
  it.each([
    ["URI:spiffe://td/ns/a/sa/b, DNS:web", ["spiffe://td/ns/a/sa/b", "web"]],
    ["DNS:*.example.com, IP Address:127.0.0.1, email:a@b.c", ["*.example.com"]],
    ["DNS:spiffe://td/ns/admin", []],
    ['DNS:"web, URI:spiffe://td/ns/admin"', []],
    ['URI:"spiffe://td/ns/a,b", DNS:x', ["spiffe://td/ns/a,b", "x"]],
    ["", []],
  ])("%s are %j", (names, identities) => {
    expect(parseSubjectAltName(names)).toEqual(identities);
  });
});
