import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { typeUrls } from "@signalbox/envoy-api";
import { createInProcessBus } from "@signalbox/event-bus";
import { objectKey } from "@signalbox/model";
import type { ChangedNames, Peer } from "@signalbox/xds-server";
import { afterEach, expect, it, vi } from "vitest";
import { gateway, server } from "../gateway/testing/router.ts";
import { createXdsPublisher, type XdsPublisher } from "../publisher.ts";
import { catalogOf } from "../testing/catalog.ts";
import { createTranslator } from "../translator.ts";
import type { FoundSecrets, SecretSource } from "./secret-source.ts";

const pem = (name: string) =>
  readFileSync(fileURLToPath(new URL(`../../../../test/certificates/${name}`, import.meta.url)), "utf8");
const pair = (certificate: string, key = certificate) => ({
  parts: { "tls.crt": pem(`${certificate}.crt`), "tls.key": pem(`${key}.key`) },
  origin: "/secrets/edge/shop",
});
const edge = {
  id: "router~10.0.0.1~r.edge~edge.svc.cluster.local",
  metadata: { LABELS: { app: "edge" } },
} as never;
const proven: Peer = { address: "10.0.0.1:1", identities: ["spiffe://cluster.local/ns/edge/sa/r"] };
const unproven: Peer = { address: "10.0.0.2:1", identities: [] };

let stop = new AbortController();
let running: Promise<void> = Promise.resolve();
const told: string[] = [];

afterEach(async () => {
  stop.abort();
  await running;
  stop = new AbortController();
  told.length = 0;
});

/** A publisher with one Gateway that names `shop`, and its source of secrets. */
async function start(): Promise<{ readonly publisher: XdsPublisher; readonly push: (found: FoundSecrets) => void }> {
  const tell = (event: string, fields?: object) => void told.push(`${event} ${JSON.stringify(fields)}`);
  let push: ((found: FoundSecrets) => void) | undefined;
  const source: SecretSource = {
    run: (sink, signal) => {
      push = sink;
      return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    },
  };
  const publisher = createXdsPublisher({
    name: "xds",
    translator: createTranslator(),
    logger: { info: tell, warn: tell, error: tell },
    secrets: { source, mayHave: (_, { identities }) => identities.length > 0 },
  });
  const bus = createInProcessBus();
  running = publisher.run(bus, stop.signal);
  const gw = gateway("edge/gw", server("HTTPS 443", ["a.test"], { tls: { mode: "SIMPLE", credentialName: "shop" } }));
  const { revision: _, ...world } = catalogOf([]);
  await bus.lead(() => ({ ...world, objects: new Map([[objectKey(gw), gw]]) }), stop.signal);
  await vi.waitFor(() => expect(publisher.status().revision).toBeDefined());
  return { publisher, push: (found) => push?.(found) };
}

const seenBy = (publisher: XdsPublisher, peer?: Peer) => {
  const changes: (ChangedNames | undefined)[] = [];
  const lease = publisher.source.acquire(edge, (changed) => changes.push(changed), peer);
  const secret = () => lease.current()?.resources(typeUrls.secret).get("kubernetes://shop")?.version;
  return { changes, secret };
};

it("only who proved the namespace has secrets, and hears of them", async () => {
  const { publisher, push } = await start();
  const [trusted, stranger, nobody] = [seenBy(publisher, proven), seenBy(publisher, unproven), seenBy(publisher)];
  push(new Map([["edge/shop", pair("server")]]));
  expect([trusted, stranger, nobody].map(({ secret }) => secret() !== undefined)).toEqual([true, false, false]);
  const changed = new Map([[typeUrls.secret, new Set(["kubernetes://shop"])]]);
  expect([trusted, stranger, nobody].map(({ changes }) => changes)).toEqual([[changed], [], []]);
  const withheld = told.filter((text) => text.startsWith("secrets-withheld"));
  expect(withheld).toHaveLength(1);
  expect(withheld[0]).toContain("10.0.0.2:1");
});

it("a pair that does not fit changes nothing, and is told without what it holds", async () => {
  const { publisher, push } = await start();
  const { secret } = seenBy(publisher, proven);
  push(new Map([["edge/shop", pair("server")]]));
  const before = secret();
  push(new Map([["edge/shop", pair("server", "client")]]));
  expect(secret()).toBe(before);
  const rejected = told.filter((text) => text.startsWith("secret-rejected"));
  expect(rejected).toHaveLength(1);
  expect(rejected[0]).toContain("/secrets/edge/shop");
  expect(rejected[0]).toContain("does not fit");
  push(new Map([["edge/shop", pair("client")]]));
  expect(secret()).not.toBe(before);
  push(new Map([["edge/shop", undefined]]));
  expect(secret()).toBeUndefined();
  const text = told.join();
  for (const line of [...pem("server.key").split("\n"), ...pem("client.key").split("\n")])
    if (line.length > 20) expect(text).not.toContain(line);
});

it("a source that fails ends the publisher", async () => {
  const source: SecretSource = { run: () => Promise.reject(new Error("no source")) };
  const publisher = createXdsPublisher({
    name: "xds",
    translator: createTranslator(),
    secrets: { source, mayHave: () => true },
  });
  await expect(publisher.run(createInProcessBus(), stop.signal)).rejects.toThrow("no source");
});
