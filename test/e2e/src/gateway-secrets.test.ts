import { once } from "node:events";
import { readFileSync } from "node:fs";
import { mkdir, mkdtemp, rename, rm, symlink, writeFile } from "node:fs/promises";
import { Agent, createServer, request } from "node:https";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, TLSSocket } from "node:tls";
import {
  adsBootstrap,
  createAuthority,
  freePorts,
  signalbox,
  startDaemon,
  startEnvoy,
  startHttpBackend,
  waitFor,
  type Backend,
  type Bootstrap,
  type CertificateAuthority,
  type Daemon,
  type RunningEnvoy,
} from "@signalbox/test-servers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { fileRegistry, hostname, servicesFile } from "./services.ts";

const certificates = join(import.meta.dirname, "../../certificates");
const pem = (name: string) => readFileSync(join(certificates, name), "utf8");
const node = {
  id: "router~127.0.0.1~edge-1.default~default.svc.cluster.local",
  metadata: { NAMESPACE: "default", LABELS: { app: "edge" } },
};

let dir: string;
let authority: CertificateAuthority;
let backend: Backend;
/** What stands behind the router: the backend, unless a test has another one. */
let endpoint: string;
let daemon: Daemon;
let tlsPort: number, listenPort: number;
const envoys: RunningEnvoy[] = [];
let versions = 0;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "signalbox-secrets-"));
  authority = await createAuthority(dir);
  backend = await startHttpBackend({ name: "web" });
  endpoint = backend.address;
  [tlsPort, listenPort] = (await freePorts(2)) as [number, number];
});
afterEach(async () => {
  for (const envoy of envoys.splice(0)) await envoy.stop();
  await daemon.stop();
  await backend.stop();
  await rm(dir, { recursive: true, force: true });
});

const object = (kind: string, name: string, spec: object) =>
  JSON.stringify({ apiVersion: "networking.istio.io/v1", kind, metadata: { name, namespace: "default" }, spec });

async function startWith(secrets: object, mode = "SIMPLE", rules: readonly string[] = []): Promise<void> {
  const server = {
    port: { number: listenPort, name: "https", protocol: "HTTPS" },
    hosts: ["a.test"],
    tls: { mode, credentialName: "shop" },
  };
  const route = { destination: { host: hostname("web"), port: { number: 80 } } };
  daemon = await startDaemon({
    config: {
      registries: fileRegistry,
      rules: [{ files: "rules.yaml" }],
      secrets: { files: join(dir, "secrets"), ...secrets },
      xds: { tls: { port: tlsPort, cert: "server.crt", key: "server.key", ca: "ca.crt" } },
      log: { level: "debug" },
    },
    files: {
      "services.json": servicesFile([{ name: "web", port: 80, endpoints: [endpoint] }]),
      "rules.yaml": [
        object("Gateway", "gw", { selector: { app: "edge" }, servers: [server] }),
        object("VirtualService", "web", { hosts: ["a.test"], gateways: ["gw"], http: [{ route: [route] }] }),
        ...rules,
      ].join("\n---\n"),
      "server.crt": pem("server.crt"),
      "server.key": pem("server.key"),
      "ca.crt": pem("ca.crt"),
    },
  });
}

/** Puts a certificate in the place of another as Kubernetes does where it mounts a Secret: by one link. */
async function mount(certificate: string, privateKey: string, ca?: string): Promise<void> {
  const folder = join(dir, "secrets/default/shop");
  const version = `..${String(++versions)}`;
  await mkdir(join(folder, version), { recursive: true });
  await writeFile(join(folder, version, "tls.crt"), certificate);
  await writeFile(join(folder, version, "tls.key"), privateKey);
  if (ca !== undefined) await writeFile(join(folder, version, "ca.crt"), ca);
  await symlink(version, join(folder, "..data.new"));
  await rename(join(folder, "..data.new"), join(folder, "..data"));
  for (const name of ["tls.crt", "tls.key", "ca.crt"])
    await symlink(join("..data", name), join(folder, name)).catch((error: unknown) => {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    });
}

async function issue(name: string): Promise<{ readonly certificate: string; readonly privateKey: string }> {
  const { certFile, keyFile } = await authority.issue(name, { commonName: name, alternativeNames: ["DNS:a.test"] });
  return { certificate: readFileSync(certFile, "utf8"), privateKey: readFileSync(keyFile, "utf8") };
}

/** Envoy with a client certificate of the namespace `default`. */
async function startRouter(...more: readonly string[]): Promise<RunningEnvoy> {
  const flags = [
    ...["--tls-ca", join(certificates, "ca.crt")],
    ...["--tls-cert", join(certificates, "client.crt")],
    ...["--tls-key", join(certificates, "client.key")],
  ];
  const address = ["--xds-address", `127.0.0.1:${tlsPort}`, "--admin-port", "0"];
  const text = signalbox("bootstrap", "--node", node.id, ...address, ...flags, "--output", "json", ...more);
  const bootstrap = JSON.parse(text) as Bootstrap;
  return start({ ...bootstrap, node: { ...(bootstrap["node"] as object), ...node } });
}

async function start(bootstrap: Bootstrap): Promise<RunningEnvoy> {
  const envoy = await startEnvoy({ bootstrap, until: "admin" });
  envoys.push(envoy);
  return envoy;
}

/** The common name of the certificate that a new connection gets. */
function shown(): Promise<string | undefined> {
  return new Promise((resolve) => {
    const ca = readFileSync(authority.caFile, "utf8");
    const socket: TLSSocket = connect({ host: "127.0.0.1", port: listenPort, servername: "a.test", ca }, () => {
      const { subject } = socket.getPeerCertificate();
      resolve(String(subject.CN));
      socket.destroy();
    });
    socket.once("error", () => resolve(undefined));
  });
}

/** A call through the router; says what answered, and by which local port. */
function call(agent: Agent): Promise<{ readonly status: number | undefined; readonly port: number | undefined }> {
  return new Promise((resolve, reject) => {
    const headers = { host: "a.test" };
    const outgoing = request(
      { host: "127.0.0.1", port: listenPort, servername: "a.test", headers, agent },
      (response) => {
        const port = response.socket.localPort;
        response.resume();
        response.once("end", () => resolve({ status: response.statusCode, port }));
      },
    );
    outgoing.once("error", reject);
    outgoing.end();
  });
}

const shows = (name: string) => waitFor(async () => (await shown()) === name, { what: `the certificate ${name}` });

describe("certificates that Gateways name", () => {
  it.each([["delta", []] as const, ["sotw", ["--sotw"]] as const])(
    "come over %s, are renewed without a lost connection, and show nowhere else",
    async (_, flags) => {
      const [first, second] = [await issue("first"), await issue("second")];
      await mount(first.certificate, first.privateKey);
      await startWith({});
      const envoy = await startRouter(...flags);
      await shows("first");
      const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: readFileSync(authority.caFile, "utf8") });
      const before = await call(agent);
      expect(before.status).toBe(200);

      await mount(second.certificate, second.privateKey);
      await shows("second");
      expect(await call(agent)).toEqual(before);
      agent.destroy();
      expect(await envoy.nacks()).toBe(0);

      const pages = [
        "/debug/adsz",
        "/debug/syncz",
        `/debug/config_dump?proxyID=${encodeURIComponent("edge-1.default")}`,
      ];
      const told = [
        daemon.log(),
        ...(await Promise.all(pages.map(async (page) => JSON.stringify(await daemon.debug(page))))),
      ];
      for (const { privateKey } of [first, second]) {
        const secret = privateKey.split("\n")[1] ?? "";
        expect(secret.length).toBeGreaterThan(40);
        for (const text of told) expect(text).not.toContain(secret);
      }
      expect(told.join()).not.toContain("PRIVATE KEY");
    },
  );

  it("stay as they were while a new key does not fit its certificate", async () => {
    const [first, second] = [await issue("first"), await issue("second")];
    await mount(first.certificate, first.privateKey);
    await startWith({});
    await startRouter();
    await shows("first");
    await mount(second.certificate, first.privateKey);
    await waitFor(() => daemon.log().includes('"secret-rejected"'), { what: "the refusal" });
    expect(daemon.log()).toContain("does not fit the certificate");
    expect(daemon.log()).toContain(join(dir, "secrets/default/shop"));
    expect(await shown()).toBe("first");
    await mount(second.certificate, second.privateKey);
    await shows("second");
  });

  it("tell who may call: only callers of their authority", async () => {
    const { certificate, privateKey } = await issue("first");
    await mount(certificate, privateKey, pem("ca.crt"));
    await startWith({}, "MUTUAL");
    const envoy = await startRouter();
    const calling = (name: string) =>
      call(
        new Agent({
          ca: readFileSync(authority.caFile, "utf8"),
          cert: pem(`${name}.crt`),
          key: pem(`${name}.key`),
        }),
      ).then(
        ({ status }) => status,
        () => "refused",
      );
    await waitFor(async () => (await calling("client")) === 200, { what: "a known caller to be served" });
    expect(await calling("stranger")).toBe("refused");
    expect(await envoy.nacks()).toBe(0);
  });

  it("are kept from a router on the plaintext port, which proves nothing", async () => {
    const { certificate, privateKey } = await issue("first");
    await mount(certificate, privateKey);
    await startWith({});
    const envoy = await start(adsBootstrap({ node, xdsPort: daemon.xdsPort, mode: "sotw" }));
    const listens = async () => JSON.stringify(await envoy.configDump()).includes(`0.0.0.0_${listenPort}`);
    await waitFor(listens, { what: "the listener" });
    expect(daemon.log()).toContain('"secrets-withheld"');
    expect(await shown()).toBeUndefined();
  });

  it("are given to it where the configuration says so, and even then not by REST", async () => {
    const { certificate, privateKey } = await issue("first");
    await mount(certificate, privateKey);
    await startWith({ insecure: true });
    await start(adsBootstrap({ node, xdsPort: daemon.xdsPort, mode: "delta" }));
    await shows("first");

    const answer = await fetch(`http://127.0.0.1:${daemon.debugPort}/v3/discovery:secrets`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ node, resource_names: ["kubernetes://shop"] }),
    });
    expect(answer.status).toBe(200);
    expect(await answer.text()).not.toContain("kubernetes://shop");
  });
});

describe("certificates that DestinationRules name", () => {
  it("let a router know the service that it calls, and let that know the router", async () => {
    const { certificate, privateKey } = await issue("first");
    const authorities = readFileSync(authority.caFile, "utf8");
    await mount(certificate, privateKey, authorities);
    const callers: string[] = [];
    const service = createServer(
      { cert: certificate, key: privateKey, ca: authorities, requestCert: true, rejectUnauthorized: true },
      (request, response) => {
        if (request.socket instanceof TLSSocket) callers.push(String(request.socket.getPeerCertificate().subject.CN));
        response.end();
      },
    );
    service.listen(0, "127.0.0.1");
    await once(service, "listening");
    try {
      endpoint = `127.0.0.1:${(service.address() as AddressInfo).port}`;
      const tls = { mode: "MUTUAL", credentialName: "shop" };
      await startWith({}, "SIMPLE", [
        object("DestinationRule", "web", { host: hostname("web"), trafficPolicy: { tls } }),
      ]);
      const envoy = await startRouter();
      const agent = new Agent({ ca: authorities });
      const served = async () => (await call(agent).catch(() => undefined))?.status === 200;
      await waitFor(served, { what: "the service to be called" });
      expect(callers).toEqual(["first"]);
      expect(await envoy.nacks()).toBe(0);
    } finally {
      service.closeAllConnections();
      service.close();
    }
  });
});
