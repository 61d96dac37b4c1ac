import { ConfigError } from "@signalbox/registry";
import { describe, expect, it } from "vitest";
import { parseKubernetesConfig } from "./config.ts";

function faults(input: unknown): readonly string[] {
  try {
    parseKubernetesConfig(input);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message.split("\n");
  }
}

describe("the configuration of a Kubernetes registry", () => {
  it("needs nothing, and has these defaults", () => {
    expect(parseKubernetesConfig({})).toEqual({
      network: "",
      domain: "cluster.local",
      istio: "auto",
      discoveryMs: 60_000,
      trustDomain: "cluster.local",
      namespaces: { include: [], exclude: [] },
      pods: true,
      nodes: true,
      pageSize: 500,
      requestMs: 30_000,
      watchdogMs: 90_000,
      watchSeconds: 240,
      maxFileBytes: 16_777_216,
    });
  });

  it.each([
    { kubeconfig: "~/.kube/config", context: "prod" },
    { inCluster: true, cluster: "east", network: "net-1" },
    { url: "https://10.0.0.1:6443", tls: { ca: { file: "ca.pem" }, cert: { file: "c.pem" }, key: { pem: "KEY" } } },
    { url: "https://10.0.0.1:6443/base", token: { file: "token" } },
    { manifests: "k8s/", namespaces: { include: "shop", selector: { team: "a" } } },
  ])("takes %j", (config) => {
    expect(faults(config)).toEqual([]);
  });

  it.each([
    { config: { namespace: "a" }, says: ['namespace: unknown key; did you mean "namespaces"?'] },
    {
      config: { namespaces: { includes: ["a"] } },
      says: ['namespaces.includes: unknown key; did you mean "include"?'],
    },
    { config: { namespaces: { include: ["A"] } }, says: ["namespaces.include[0]: must be the name of a namespace"] },
    {
      config: { namespaces: { include: ["a"], exclude: ["a"] } },
      says: ["namespaces.exclude: a is in include as well"],
    },
    {
      config: { kubeconfig: "a", inCluster: true, url: "https://a" },
      says: [
        "inCluster: cannot stand beside kubeconfig: one source each",
        "url: cannot stand beside kubeconfig: one source each",
      ],
    },
    {
      config: { url: "https://user:pass@a" },
      says: ["url: must be an http:// or https:// URL without credentials, query and fragment"],
    },
    { config: { token: "x" }, says: ["token: needs url"] },
    {
      config: { url: "https://a", token: { path: "x" } },
      says: ["token: must be the secret as text, or a map with either `file` or `value`"],
    },
    {
      config: { url: "https://a", tls: { cert: { file: "x" } } },
      says: ["tls.key: is missing: cert and key go together"],
    },
    { config: { url: "https://a", tls: { ca: "x" } }, says: ["tls.ca: must be a map with either `file` or `pem`"] },
    { config: { url: "https://a", tls: { caFile: "x" } }, says: [expect.stringContaining("tls.caFile: unknown key")] },
    { config: { url: "http://a", tls: {} }, says: ["url: must begin with https:// where tls is given"] },
    { config: { inCluster: true, tls: {} }, says: ["tls: needs url"] },
    { config: { inCluster: true, context: "x" }, says: ["context: belongs to a kubeconfig"] },
    {
      config: { pageSize: 0, domain: "-" },
      says: ["domain: must be a domain name", "pageSize: must be at least 1, not 0"],
    },
    { config: { nodes: "yes" }, says: ['nodes: must be true or false, not "yes"'] },
    { config: { cluster: "a/b" }, says: ["cluster: must not contain a slash"] },
    { config: 7, says: ["(root): must be a map, not 7"] },
  ])("refuses $config", ({ config, says }) => {
    expect([...faults(config)].sort()).toEqual([...says].sort());
  });
});
