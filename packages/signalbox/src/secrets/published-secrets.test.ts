import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger, systemClock } from "@signalbox/registry";
import type { FoundSecret } from "@signalbox/xds";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { publishedSecrets } from "./published-secrets.ts";

const context = { baseDir: "/", logger: silentLogger, clock: systemClock };
const node = (namespace: string) => ({ id: `router~10.0.0.1~r.${namespace}~x`, metadata: { NAMESPACE: namespace } });
const account = (namespace: string) => `spiffe://cluster.local/ns/${namespace}/sa/r`;

describe("who may have secrets", () => {
  it.each([
    ["proves its namespace", "edge", [account("edge")], false, true],
    ["proves it among others", "edge", ["edge.example", account("shop"), account("edge")], false, true],
    ["proves another", "edge", [account("shop")], false, false],
    ["has a certificate with no namespace", "edge", ["edge.example"], false, false],
    ["has no certificate", "edge", [], false, false],
    ["says no namespace", "", [account("edge")], false, false],
    ["has no certificate, where its word is enough", "edge", [], true, true],
    ["says no namespace, where its word is enough", "", [], true, false],
  ])("a router that %s", (_, namespace, identities, insecure, may) => {
    const published = publishedSecrets({ files: "/none", insecure }, context);
    expect(published.mayHave(node(namespace), { address: "127.0.0.1:1", identities })).toBe(may);
  });
});

describe("secrets from files", () => {
  let dir: string;
  const stop = new AbortController();
  let running: Promise<void>;
  const known = new Map<string, FoundSecret>();

  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), "signalbox-secrets-"));
  });
  afterEach(async () => {
    stop.abort();
    await running;
    await rm(dir, { recursive: true, force: true });
  });

  const write = async (path: string, text: string) => {
    await mkdir(join(dir, "secrets", path, ".."), { recursive: true });
    await writeFile(join(dir, "secrets", path), text);
  };
  const parts = () => Object.fromEntries([...known].sort().map(([key, secret]) => [key, secret.parts]));

  it("are told by namespace and name, as they come, change and go", async () => {
    await write("edge/shop/tls.crt", "C");
    await write("edge/shop/tls.key", "K");
    await write("edge/shop/README", "no part of it");
    await write("edge/tls.crt", "no secret");
    await write("shop/deep/er/tls.crt", "no secret either");
    const { source } = publishedSecrets({ files: "secrets", insecure: false }, { ...context, baseDir: dir });
    running = source.run((changes) => {
      for (const [key, secret] of changes) {
        if (secret === undefined) known.delete(key);
        else known.set(key, secret);
      }
    }, stop.signal);
    await vi.waitFor(() => expect(parts()).toEqual({ "edge/shop": { "tls.crt": "C", "tls.key": "K" } }), 5000);
    expect(known.get("edge/shop")?.origin).toBe(join(dir, "secrets/edge/shop"));
    await write("edge/shop-cacert/cacert", "A");
    await write("edge/shop/tls.key", "K2");
    await vi.waitFor(
      () =>
        expect(parts()).toEqual({
          "edge/shop": { "tls.crt": "C", "tls.key": "K2" },
          "edge/shop-cacert": { cacert: "A" },
        }),
      5000,
    );
    await rm(join(dir, "secrets/edge/shop"), { recursive: true });
    await vi.waitFor(() => expect(Object.keys(parts())).toEqual(["edge/shop-cacert"]), 5000);
  });
});
