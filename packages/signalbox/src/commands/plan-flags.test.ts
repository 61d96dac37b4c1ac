import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { entriesOf, hasSources, planFlags, type SourceFlags } from "./plan-flags.ts";

const none: SourceFlags = { kubernetes: [], consul: [], eureka: [], files: [] };
const consul = "http://127.0.0.1:8500";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "plan-flags-test-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe("flags in place of a configuration", () => {
  it.each<{ flags: Partial<SourceFlags>; env?: Record<string, string>; entries: object[] }>([
    { flags: {}, entries: [] },
    { flags: { consul: [consul] }, entries: [{ provider: "consul", name: "consul", url: consul }] },
    {
      flags: { consul: [consul, "https://b"] },
      env: { CONSUL_HTTP_TOKEN: "secret" },
      entries: [
        { provider: "consul", name: "consul", url: consul, token: { value: "secret" } },
        { provider: "consul", name: "consul-2", url: "https://b", token: { value: "secret" } },
      ],
    },
    {
      flags: { consul: [consul] },
      env: { CONSUL_HTTP_TOKEN: "" },
      entries: [{ provider: "consul", name: "consul", url: consul }],
    },
    {
      flags: { eureka: ["http://a,http://b", "http://c/base"] },
      entries: [
        { provider: "eureka", name: "eureka", urls: "http://a,http://b" },
        { provider: "eureka", name: "eureka-2", urls: "http://c/base" },
      ],
    },
    {
      flags: { kubernetes: ["kubectl", "in-cluster", "west.kubeconfig"] },
      entries: [
        { provider: "kubernetes", name: "kubernetes" },
        { provider: "kubernetes", name: "kubernetes-2", inCluster: true },
        { provider: "kubernetes", name: "kubernetes-3", kubeconfig: "west.kubeconfig" },
      ],
    },
    {
      flags: { files: ["a.yaml", "b/"], eureka: ["http://a"], consul: [consul], kubernetes: ["kubectl"] },
      entries: [
        { provider: "kubernetes", name: "kubernetes" },
        { provider: "consul", name: "consul", url: consul },
        { provider: "eureka", name: "eureka", urls: "http://a" },
        { provider: "static", name: "files", paths: ["a.yaml", "b/"] },
      ],
    },
  ])("become these registries: $flags", ({ flags, env = {}, entries }) => {
    expect(entriesOf({ ...none, ...flags }, env).map(({ entry }) => entry)).toEqual(entries);
    expect(hasSources({ ...none, ...flags })).toBe(entries.length > 0);
  });

  it("are taken by the adapters, and the rest has its defaults", async () => {
    const file = join(dir, "services.yaml");
    const kubeconfig = join(dir, "kubeconfig");
    for (const path of [file, kubeconfig]) writeFileSync(path, "");
    const flags = { kubernetes: [kubeconfig], consul: [consul], eureka: ["http://a, http://b"], files: [file] };
    const { config, registries } = await planFlags(flags, {});
    expect(registries.map(({ id }) => id)).toEqual([
      "kubernetes/kubernetes",
      "consul/consul",
      "eureka/eureka",
      "static/files",
    ]);
    expect(registries[2]?.config).toMatchObject({ urls: ["http://a/eureka", "http://b/eureka"] });
    expect(config).toMatchObject({ xds: { plaintext: { port: 15010 } }, debug: { port: 15014 } });
  });

  it("may choose the ports", async () => {
    const { config } = await planFlags({ ...none, consul: [consul], xdsPort: 0, debugPort: 7 }, {});
    expect(config).toMatchObject({ xds: { plaintext: { port: 0 } }, debug: { port: 7 } });
  });

  it.each<{ flags: Partial<SourceFlags>; says: string }>([
    { flags: { consul: ["ftp://x"] }, says: "--consul: url must be an http:// or https:// URL" },
    { flags: { consul: ["http://me:secret@x"] }, says: "--consul: url must hold no credentials; use `token`" },
    { flags: { eureka: ["http://a,nowhere"] }, says: "--eureka: urls[1] must be an http:// or https:// URL" },
    { flags: { kubernetes: ["no/kubeconfig"] }, says: "no/kubeconfig cannot be read: ENOENT" },
    { flags: { files: ["no.yaml"] }, says: "no.yaml cannot be read: ENOENT" },
  ])("are named when an adapter does not take them: $flags", async ({ flags, says }) => {
    const refused = planFlags({ ...none, ...flags }, {});
    await expect(refused).rejects.toThrow(says);
    await expect(refused).rejects.toMatchObject({ exitCode: 2 });
    await expect(refused).rejects.not.toThrow("secret");
  });
});
