import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { SourceError } from "@signalbox/registry";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { connect, type Connection, type ConnectionConfig } from "./connect.ts";

let dir: string;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "signalbox-connect-"));
});

afterEach(() => rm(dir, { recursive: true }));

function look(config: ConnectionConfig, env: Readonly<Record<string, string>> = {}): Promise<Connection> {
  return connect(config, { baseDir: dir, env: { HOME: dir, ...env }, serviceAccountDir: join(dir, "account") });
}

async function kubeconfig(
  user: object,
  change: { readonly cluster?: object; readonly name?: string } = {},
): Promise<string> {
  const { cluster = {}, name = "kubeconfig" } = change;
  const server = "https://api.example.test:6443/";
  const content = {
    clusters: [{ name: "c", cluster: { server, "certificate-authority": "ca.pem", ...cluster } }],
    users: [{ name: "u", user }],
    contexts: [
      { name: "x", context: { cluster: "c", user: "u" } },
      { name: "broken", context: { cluster: "gone", user: "u" } },
    ],
    "current-context": "x",
  };
  await writeFile(join(dir, name, "../ca.pem"), "CA");
  await writeFile(join(dir, name), JSON.stringify(content));
  return name;
}

/** The value of the Authorization header that a connection sends. */
async function authorization({ auth }: Connection, refused = false): Promise<string> {
  if (auth?.type !== "header" || !("get" in auth.value)) throw new Error("there is no header that is asked for");
  return auth.value.get(refused);
}

const base64 = (text: string) => Buffer.from(text).toString("base64");

describe("the way to an API server", () => {
  it("is a URL with files, from the base folder", async () => {
    const files = { ca: { file: "ca.pem" }, cert: { file: "/c.pem" }, key: { pem: "KEY" } };
    const tls = { ...files, serverName: "kubernetes", insecureSkipVerify: false };
    expect(await look({ url: "https://a:6443", tls, token: { file: "t" } })).toEqual({
      url: "https://a:6443",
      tls: {
        ca: { file: join(dir, "ca.pem") },
        cert: { file: "/c.pem" },
        key: { pem: "KEY" },
        serverName: "kubernetes",
        insecureSkipVerify: false,
      },
      auth: { type: "bearer", token: { file: join(dir, "t") } },
    });
  });

  it("is the pod's service account in a cluster, whose files are followed", async () => {
    const env = { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "6443" };
    const expected = {
      url: "https://[fd00::1]:6443",
      tls: { ca: { file: join(dir, "account", "ca.crt") } },
      auth: { type: "bearer", token: { file: join(dir, "account", "token") } },
    };
    expect(await look({ inCluster: true }, env)).toEqual(expected);
    expect(await look({}, env)).toEqual(expected);
    await expect(look({ inCluster: true })).rejects.toThrow("KUBERNETES_SERVICE_HOST is not set");
  });

  it("is found where kubectl finds it: KUBECONFIG, then the home folder", async () => {
    await mkdir(join(dir, ".kube"));
    await kubeconfig({ token: "home" }, { name: ".kube/config" });
    expect(await authorization(await look({}))).toBe("Bearer home");
    await kubeconfig({ token: "named" });
    expect(await authorization(await look({}, { KUBECONFIG: join(dir, "kubeconfig") }))).toBe("Bearer named");
    await rm(join(dir, ".kube"), { recursive: true });
    await expect(look({})).rejects.toThrow(SourceError);
  });

  it("has what a kubeconfig says of TLS; relative files start at the kubeconfig", async () => {
    const user = { "client-certificate-data": base64("CERT"), "client-key-data": base64("KEY") };
    const cluster = { "tls-server-name": "kubernetes", "insecure-skip-tls-verify": true };
    const { tls, url } = await look({ kubeconfig: await kubeconfig(user, { cluster }) });
    expect(url).toBe("https://api.example.test:6443");
    expect(tls).toEqual({
      ca: { file: join(dir, "ca.pem") },
      cert: { pem: "CERT" },
      key: { pem: "KEY" },
      serverName: "kubernetes",
      insecureSkipVerify: true,
    });
  });

  it("has a password, an impersonated user, and a token file", async () => {
    const login = await look({ kubeconfig: await kubeconfig({ username: "me", password: "pass", as: "other" }) });
    expect(await authorization(login)).toBe(`Basic ${base64("me:pass")}`);
    expect(login.headers).toEqual({ "impersonate-user": "other" });
    const byFile = await look({ kubeconfig: await kubeconfig({ tokenFile: "token", token: "old" }) });
    expect(byFile.auth).toEqual({ type: "bearer", token: { file: join(dir, "token") } });
  });

  it("runs the program of a kubeconfig, and again when its token was refused", async () => {
    const program = join(dir, "login.cjs");
    const counter = JSON.stringify(join(dir, "count"));
    await writeFile(
      program,
      `const fs = require("node:fs");
       const count = fs.existsSync(${counter}) ? Number(fs.readFileSync(${counter}, "utf8")) + 1 : 1;
       fs.writeFileSync(${counter}, String(count));
       const status = { token: "token-" + count, expirationTimestamp: "2999-01-01T00:00:00Z" };
       console.log(JSON.stringify({ apiVersion: "client.authentication.k8s.io/v1", kind: "ExecCredential", status }));`,
    );
    const exec = { apiVersion: "client.authentication.k8s.io/v1", command: process.execPath, args: [program] };
    const connection = await look({ kubeconfig: await kubeconfig({ exec }) });
    expect(await authorization(connection)).toBe("Bearer token-1");
    expect(await authorization(connection)).toBe("Bearer token-1");
    expect(await authorization(connection, true)).toBe("Bearer token-2");
  });

  it.each([
    {
      what: "a program that fails",
      user: { exec: { command: process.execPath, args: ["-e", "process.exit(3)"] } },
      says: "its program for credentials failed",
    },
    { what: "a proxy", user: {}, cluster: { "proxy-url": "http://p" }, says: "proxy-url is not supported" },
    { what: "a context without a cluster", user: {}, context: "broken", says: 'the context "broken" names no cluster' },
  ])("cannot be $what", async ({ cluster, context, says, user }) => {
    const path = await kubeconfig(user, cluster === undefined ? {} : { cluster });
    const failure = look({ kubeconfig: path, ...(context === undefined ? {} : { context }) });
    await expect(failure).rejects.toMatchObject({ code: "SBX_SOURCE_FAILED", problem: "AUTH_FAILED" });
    await expect(failure).rejects.toThrow(says);
  });

  it("says which file is missing", async () => {
    await expect(look({ kubeconfig: "none" })).rejects.toThrow(/none cannot be used: ENOENT/);
  });
});
