import { followSecrets, parseSecretsConfig, type KubernetesSecret } from "@signalbox/adapter-kubernetes";
import { silentLogger, systemClock } from "@signalbox/registry";
import { startKube, waitFor, type RunningKube } from "@signalbox/test-servers";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

/** May read Secrets of one namespace, and nothing else: manifests/rbac-secrets.yaml. */
const reader = { name: "secret-reader", token: "secret-reader-token" };
const rbac = "/apis/rbac.authorization.k8s.io/v1/namespaces/edge";
const secrets = "/api/v1/namespaces/edge/secrets";
const deadlineMs = 30_000;
const base64 = (text: string) => Buffer.from(text).toString("base64");

let kube: RunningKube;
let stop: AbortController;
let ended: Promise<void> = Promise.resolve();
let known: Map<string, KubernetesSecret>;
let log: string[];

beforeAll(async () => {
  kube = await startKube({ own: true, users: [reader] });
  for (const name of ["edge", "shop"]) await kube.create("/api/v1/namespaces", { metadata: { name } });
  const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "signalbox-secrets" };
  const subjects = [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: reader.name }];
  const rules = [{ apiGroups: [""], resources: ["secrets"], verbs: ["list", "watch"] }];
  await kube.create(`${rbac}/roles`, { metadata: { name: roleRef.name }, rules });
  await kube.create(`${rbac}/rolebindings`, { metadata: { name: roleRef.name }, roleRef, subjects });
  const allowed = async () => (await kube.request(secrets, { token: reader.token })).status === 200;
  await waitFor(allowed, { what: "the right to read Secrets", deadlineMs });
}, 240_000);

afterEach(async () => {
  stop.abort();
  await ended;
});

afterAll(() => kube.stop());

function follow(...namespaces: readonly string[]): void {
  stop = new AbortController();
  known = new Map();
  log = [];
  const tell = (event: string, fields?: object) => void log.push(`${event} ${JSON.stringify(fields)}`);
  ended = followSecrets({
    config: parseSecretsConfig({
      url: kube.url,
      tls: { ca: { file: kube.caFile } },
      token: reader.token,
      namespaces,
    }),
    keys: ["tls.crt", "tls.key", "cacert"],
    baseDir: "/",
    clock: systemClock,
    logger: { ...silentLogger, info: tell, warn: tell, error: tell },
    push: (changes) => {
      for (const [key, secret] of changes) {
        if (secret === undefined) known.delete(key);
        else known.set(key, secret);
      }
    },
    signal: stop.signal,
  });
}

const until = (what: string, condition: () => boolean) => waitFor(condition, { what, deadlineMs });

function secret(name: string, type: string, data: Readonly<Record<string, string>>) {
  const encoded = Object.fromEntries(Object.entries(data).map(([key, text]) => [key, base64(text)]));
  return { apiVersion: "v1", kind: "Secret", metadata: { name }, type, data: encoded };
}

describe("Secrets of a real API server", () => {
  it("are read with rights in their namespace alone, and followed", async () => {
    await kube.create(secrets, secret("shop", "kubernetes.io/tls", { "tls.crt": "C1", "tls.key": "K1" }));
    await kube.create(secrets, secret("password", "kubernetes.io/basic-auth", { username: "u", password: "p" }));
    follow("edge");
    await until("the first Secret", () => known.size === 1);
    expect(known.get("edge/shop")).toMatchObject({ parts: { "tls.crt": "C1", "tls.key": "K1" } });
    await kube.create(secrets, secret("shop-cacert", "Opaque", { cacert: "A", password: "p" }));
    await until("the second Secret", () => known.size === 2);
    expect(known.get("edge/shop-cacert")?.parts).toEqual({ cacert: "A" });
    const body = JSON.stringify({ data: { "tls.crt": base64("C2"), "tls.key": base64("K2") } });
    const headers = { "content-type": "application/merge-patch+json" };
    const patched = await kube.request(`${secrets}/shop`, { method: "PATCH", headers, body });
    expect(patched.status).toBe(200);
    await until("the renewed Secret", () => known.get("edge/shop")?.parts["tls.crt"] === "C2");
    await kube.request(`${secrets}/shop`, { method: "DELETE" });
    await until("the Secret to go", () => !known.has("edge/shop"));
    expect(log).toEqual([]);
  });

  it("of a namespace without rights are told to be unreadable, and keep nobody from the others", async () => {
    await kube.create(secrets, secret("more", "kubernetes.io/tls", { "tls.crt": "C", "tls.key": "K" }));
    follow("shop", "edge");
    await until("the Secret", () => known.has("edge/more"));
    await until("the refusals", () => log.length === 2);
    for (const line of log) expect(line).toMatch(/^secrets-unreadable .*namespaces\/shop\/secrets.*AUTH_FAILED/);
  });
});
