import { ConfigError, silentLogger, systemClock, type Logger } from "@signalbox/registry";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeApiServer } from "../../client/testing/fake-api-server.ts";
import { parseSecretsConfig } from "./config.ts";
import { followSecrets } from "./follow-secrets.ts";
import type { KubernetesSecret } from "./read-secret.ts";

const keys = ["tls.crt", "tls.key", "cacert"];
const base64 = (text: string) => Buffer.from(text).toString("base64");

function secret(name: string, type: string, data: Readonly<Record<string, string>>) {
  const [namespace = "", short = ""] = name.split("/");
  const encoded = Object.fromEntries(Object.entries(data).map(([key, text]) => [key, base64(text)]));
  return { metadata: { namespace, name: short }, type, data: encoded };
}

let server: FakeApiServer;
let stop: AbortController;
let running: Promise<void>;
let pushes: (readonly (readonly [string, KubernetesSecret | undefined])[])[];
let log: string[];

beforeEach(async () => {
  server = await FakeApiServer.open();
  stop = new AbortController();
  running = Promise.resolve();
  pushes = [];
  log = [];
});
afterEach(async () => {
  stop.abort();
  await running;
  await server.shut();
});

function start(...namespaces: readonly string[]): void {
  const tell = (event: string, fields?: object) => void log.push(`${event} ${JSON.stringify(fields)}`);
  const logger: Logger = { ...silentLogger, info: tell, warn: tell, error: tell };
  running = followSecrets({
    config: parseSecretsConfig({ url: server.url, namespaces }),
    keys,
    baseDir: "/",
    clock: systemClock,
    logger,
    push: (changes) => pushes.push([...changes]),
    signal: stop.signal,
  });
}

/** What is known after all that was pushed: parts by secret. */
const known = () => {
  const all = new Map<string, unknown>();
  for (const [key, one] of pushes.flat()) {
    if (one === undefined) all.delete(key);
    else all.set(key, one.parts);
  }
  return Object.fromEntries(all);
};

describe("Secrets of a cluster", () => {
  it("are those of the two types with certificates, in the named namespaces, with the keys that are wanted", async () => {
    server.put("secrets", secret("edge/tls", "kubernetes.io/tls", { "tls.crt": "C", "tls.key": "K" }));
    server.put("secrets", secret("edge/ca", "Opaque", { cacert: "A", password: "p" }));
    server.put("secrets", secret("edge/password", "Opaque", { password: "p" }));
    server.put("secrets", secret("edge/account", "kubernetes.io/service-account-token", { "tls.crt": "T" }));
    server.put("secrets", secret("shop/tls", "kubernetes.io/tls", { "tls.crt": "C", "tls.key": "K" }));
    server.put("secrets", secret("other/tls", "kubernetes.io/tls", { "tls.crt": "C", "tls.key": "K" }));
    start("edge", "shop");
    await vi.waitFor(() => expect(server.watches).toBe(4));
    expect(known()).toEqual({
      "edge/tls": { "tls.crt": "C", "tls.key": "K" },
      "edge/ca": { cacert: "A" },
      "shop/tls": { "tls.crt": "C", "tls.key": "K" },
    });
    const asked = server.requests.map((request) => new URL(request.split(" ")[1] ?? "", server.url));
    expect([...new Set(asked.map(({ pathname }) => pathname))].sort()).toEqual([
      "/api/v1/namespaces/edge/secrets",
      "/api/v1/namespaces/shop/secrets",
    ]);
    const selectors = asked.map(({ searchParams }) => searchParams.get("fieldSelector"));
    expect([...new Set(selectors)].sort()).toEqual(["type=Opaque", "type=kubernetes.io/tls"]);
  });

  it("are followed: changed, gone, and without any key that is wanted", async () => {
    const tls = (text: string) => secret("edge/tls", "kubernetes.io/tls", { "tls.crt": text, "tls.key": text });
    server.put("secrets", tls("1"));
    server.put("secrets", secret("edge/ca", "Opaque", { cacert: "A" }));
    start("edge");
    await vi.waitFor(() => expect(server.watches).toBe(2));
    server.put("secrets", tls("2"));
    await vi.waitFor(() => expect(known()["edge/tls"]).toEqual({ "tls.crt": "2", "tls.key": "2" }));
    server.put("secrets", secret("edge/ca", "Opaque", { password: "p" }));
    await vi.waitFor(() => expect(Object.keys(known())).toEqual(["edge/tls"]));
    server.delete("secrets", "edge/tls");
    await vi.waitFor(() => expect(known()).toEqual({}));
  });

  it("are told as none where there are none, so that it is known", async () => {
    start("edge");
    await vi.waitFor(() => expect(server.watches).toBe(2));
    expect(pushes).toEqual([[], []]);
  });

  it("stay while they may not be read, and it is told once", async () => {
    server.put("secrets", secret("edge/tls", "kubernetes.io/tls", { "tls.crt": "C", "tls.key": "KEY" }));
    start("edge");
    await vi.waitFor(() => expect(server.watches).toBe(2));
    server.forbidden.add("secrets");
    server.cutWatches();
    await vi.waitFor(() => expect(log.filter((text) => text.startsWith("secrets-unreadable"))).toHaveLength(2), 5000);
    expect(log[0]).toContain("AUTH_FAILED");
    expect(Object.keys(known())).toEqual(["edge/tls"]);
    server.forbidden.clear();
    await vi.waitFor(() => expect(log.filter((text) => text.startsWith("secrets-readable"))).toHaveLength(2), 10_000);
    expect(Object.keys(known())).toEqual(["edge/tls"]);
  });

  it("of which an answer cannot be read are not quoted in the log", async () => {
    start("edge");
    await vi.waitFor(() => expect(server.watches).toBe(2));
    server.write(`{"type":"ADDED","object":{"data":{"tls.key":"PRIVATE${"x".repeat(20)}\n`);
    await vi.waitFor(() => expect(log.filter((text) => text.startsWith("secrets-unreadable"))).toHaveLength(2));
    expect(log.join()).toContain("the answer cannot be read");
    expect(log.join()).not.toContain("PRIVATE");
  });

  it("that are malformed stay as they were", async () => {
    server.put("secrets", secret("edge/tls", "kubernetes.io/tls", { "tls.crt": "C", "tls.key": "K" }));
    start("edge");
    await vi.waitFor(() => expect(server.watches).toBe(2));
    server.put("secrets", { ...secret("edge/tls", "kubernetes.io/tls", {}), data: { "tls.crt": 7 } });
    server.put("secrets", secret("edge/more", "kubernetes.io/tls", { "tls.crt": "C", "tls.key": "K" }));
    await vi.waitFor(() => expect(Object.keys(known())).toEqual(["edge/tls", "edge/more"]));
  });
});

describe("where Secrets are read", () => {
  it.each([
    ["no namespace", {}, "namespaces"],
    ["an empty list of namespaces", { namespaces: [] }, "namespaces"],
    ["a name that is none", { namespaces: ["Edge!"] }, "namespaces"],
    ["two ways to a cluster", { namespaces: ["edge"], url: "http://a", inCluster: true }, "url"],
    ["an unknown key", { namespaces: ["edge"], pods: true }, "pods"],
  ])("cannot be %s", (_, input, field) => {
    expect(() => parseSecretsConfig(input)).toThrow(ConfigError);
    expect(() => parseSecretsConfig(input)).toThrow(field);
  });

  it("may be one namespace, and counts each once", () => {
    expect(parseSecretsConfig({ namespaces: "edge" }).namespaces).toEqual(["edge"]);
    expect(parseSecretsConfig({ namespaces: ["edge", "edge"] }).namespaces).toEqual(["edge"]);
  });
});
