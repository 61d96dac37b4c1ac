import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { registryId } from "@signalbox/model";
import { ConfigError, noMetrics, silentLogger, systemClock, type RegistryModule } from "@signalbox/registry";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ConfigFileError, loadConfig } from "./load.ts";

/** A provider for these tests: takes `token` (text) and `count` (a number), nothing else. */
const probeModule: RegistryModule<unknown> = {
  provider: "probe",
  parseConfig(input) {
    const faults = Object.entries(input as object).flatMap(([key, value]) => {
      if (key === "token") return typeof value === "string" ? [] : [{ path: ["token"], message: "must be text" }];
      if (key === "quoted") return [{ path: ["quoted"], message: `must be a URL, not ${JSON.stringify(value)}` }];
      if (key === "cut") return [{ path: ["cut"], message: `must be a URL, not "${String(value).slice(0, 15)}…` }];
      if (key === "secret") return [];
      if (key === "other")
        return [{ path: ["other"], message: `does not go with ${String((input as { secret?: unknown }).secret)}` }];
      if (key === "nested") return [{ path: ["nested", 1], message: "is odd" }];
      return [{ path: [key], message: "unknown key", onKey: true }];
    });
    if (faults.length > 0) throw new ConfigError(faults);
    return input;
  },
  create: (_config, { name }) => ({ id: registryId("probe", name), run: () => Promise.resolve() }),
};

let dir: string;
let file: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "config-test-"));
  file = join(dir, "signalbox.yaml");
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

async function load(
  text: string,
  environment: Record<string, string> = {},
): Promise<Awaited<ReturnType<typeof loadConfig>>> {
  writeFileSync(file, text);
  return loadConfig(file, environment, [probeModule]);
}

/** The lines of the error, without the folder. */
async function mistakes(text: string, environment: Record<string, string> = {}): Promise<string[]> {
  try {
    await load(text, environment);
  } catch (error) {
    if (!(error instanceof ConfigFileError)) throw error;
    return error.message.split("\n").map((line) => line.replace(`${dir}/`, ""));
  }
  return [];
}

describe("loading a configuration file", () => {
  it("gives the checked configuration, its registries and the folder that paths start from", async () => {
    const loaded = await load("registries:\n  - provider: probe\n    name: a\n    token: x\ndebug: {port: 0}\n");
    expect(loaded).toMatchObject({ path: file, baseDir: dir, warnings: [], config: { debug: { port: 0 } } });
    expect(loaded.registries.map(({ config, id, name }) => ({ config, id, name }))).toEqual([
      { id: "probe/a", name: "a", config: { token: "x" } },
    ]);
  });

  it("takes an empty file for all defaults", async () => {
    expect((await load("# nothing yet\n")).config.debug).toMatchObject({ port: 15014 });
  });

  it("gives equal registries equal fingerprints, whatever the order of their keys", async () => {
    const [one] = (await load("registries: [{provider: probe, name: a, token: x}]")).registries;
    const [two] = (await load("registries: [{token: x, name: a, provider: probe}]")).registries;
    const [three] = (await load("registries: [{token: y, name: a, provider: probe}]")).registries;
    expect(one?.fingerprint).toBe(two?.fingerprint);
    expect(one?.fingerprint).not.toBe(three?.fingerprint);
  });

  it.each([
    {
      name: "an unknown key, at the key",
      text: "debug:\n  host: 127.0.0.1\n  prot: 1\n",
      expected: ['signalbox.yaml:3:3: debug.prot: unknown key; did you mean "port"?'],
    },
    {
      name: "a wrong value, at the value",
      text: "xds:\n  plaintext: {port: no}\n",
      expected: ['signalbox.yaml:2:21: xds.plaintext.port: must be a number, not "no"'],
    },
    {
      name: "a missing key, at its mapping",
      text: "registries:\n  - name: a\n",
      expected: ["signalbox.yaml:2:5: registries[0].provider: is missing"],
    },
    {
      name: "several mistakes at once",
      text: "rules: 1\nlog: {level: loud}\n",
      expected: [
        "signalbox.yaml:1:8: rules: must be a list, not 1",
        'signalbox.yaml:2:14: log.level: must be one of debug, info, warn, error, silent, not "loud"',
      ],
    },
    {
      name: "secrets from nowhere",
      text: "secrets: {insecure: true}\n",
      expected: ["signalbox.yaml:1:10: secrets: needs exactly one of files, kubernetes"],
    },
    {
      name: "what the adapter for secrets says",
      text: "secrets:\n  kubernetes: {namespaces: [edge], inCluster: true, context: a, pods: false}\n",
      expected: [expect.stringContaining("signalbox.yaml:2:65: secrets.kubernetes.pods: unknown key")],
    },
    {
      name: "a provider that nobody knows",
      text: "registries:\n  - provider: statik\n    name: a\n",
      expected: ['signalbox.yaml:2:15: registries[0].provider: no adapter for "statik"; did you mean "static"?'],
    },
    {
      name: "a provider far from all",
      text: "registries:\n  - provider: zookeeper\n    name: a\n",
      expected: [
        'signalbox.yaml:2:15: registries[0].provider: no adapter for "zookeeper"; this version has: consul, eureka, kubernetes, probe, static',
      ],
    },
    {
      name: "an unknown key of the adapter, at the key",
      text: "registries:\n  - provider: probe\n    name: a\n    tokn:   x\n",
      expected: ["signalbox.yaml:4:5: registries[0].tokn: unknown key"],
    },
    {
      name: "a wrong value deep in the adapter's part",
      text: "registries:\n  - provider: probe\n    name: a\n    nested: [0,  1]\n",
      expected: ["signalbox.yaml:4:18: registries[0].nested[1]: is odd"],
    },
    {
      name: "a missing environment variable",
      text: 'log:\n  level: "${NOPE}"\n',
      expected: [
        "signalbox.yaml:2:10: log.level: environment variable NOPE is not set; give a default with ${NOPE:-value}",
      ],
    },
    {
      name: "a variable without its end",
      text: 'log:\n  level: "${NOPE"\n',
      expected: ["signalbox.yaml:2:10: log.level: ${ has no end; write ${NAME}, or $${ for a plain ${"],
    },
    {
      name: "a slip in the name of a registry's provider, at the key",
      text: "registries:\n  - provder: static\n    name: a\n    paths: [x]\n",
      expected: ['signalbox.yaml:2:5: registries[0].provder: unknown key; did you mean "provider"?'],
    },
    {
      name: "two documents",
      text: "debug: false\n---\ndebug: false\n",
      expected: ["signalbox.yaml:3:1: the file must hold one document only"],
    },
    {
      name: "a duplicate key",
      text: "debug: false\ndebug: false\n",
      expected: [expect.stringMatching(/^signalbox\.yaml:2:1: .*duplicat/)],
    },
    { name: "a list", text: "- debug\n", expected: ["signalbox.yaml:1:1: must be a map, not a list"] },
    {
      name: "rules from Kubernetes",
      text: "rules:\n  - kubernetes: {}\n",
      expected: [
        expect.stringMatching(
          /^signalbox\.yaml:2:17: rules\[0\]\.kubernetes: is not read here: a registry with provider kubernetes/,
        ),
      ],
    },
  ])("refuses $name", async ({ text, expected }) => {
    expect(await mistakes(text)).toEqual(expected);
  });

  it("puts environment variables into text and, where the whole value is one, into numbers and switches", async () => {
    const text = "debug: {port: '${PORT}', host: '${HOST:-127.0.0.1}'}\nxds: {insecure: '${OPEN}'}\n";
    const { config } = await load(text, { PORT: "7", OPEN: "true" });
    expect(config.debug).toMatchObject({ port: 7, host: "127.0.0.1" });
    expect(config.xds.insecure).toBe(true);
    expect(await mistakes(text, { PORT: "7x", OPEN: "yes" })).toEqual([
      "signalbox.yaml:2:17: xds.insecure: must be true or false, not the value of ${OPEN}",
      "signalbox.yaml:1:15: debug.port: must be a number, not the value of ${PORT}",
    ]);
  });

  it.each([
    ["of a number", "debug: {port: '${TOKEN}'}"],
    ["out of range", "debug: {port: '${NUMBER}'}"],
    ["of one of several words", "log: {level: '${TOKEN}'}"],
    ["inside a text", "log: {level: 'x-${TOKEN}'}"],
    ["of a provider", "registries: [{provider: '${TOKEN}', name: a}]"],
    ["of an address", "xds: {plaintext: {host: '${TOKEN}'}}"],
    ["that an adapter quotes", "registries: [{provider: probe, name: a, quoted: '${TOKEN}'}]"],
    ["that an adapter quotes in part", "registries: [{provider: probe, name: a, cut: '${TOKEN}'}]"],
    ["that an adapter quotes elsewhere", "registries: [{provider: probe, name: a, secret: '${TOKEN}', other: 1}]"],
  ])("never shows what a variable holds, in place %s", async (_place, text) => {
    const environment = { TOKEN: "hunter2-hunter2-token", NUMBER: "77777777" };
    const said = (await mistakes(text, environment)).join("\n");
    expect(said).toMatch(/the value of \$\{(TOKEN|NUMBER)\}/);
    expect(said).not.toMatch(/hunter2|7777/);
  });

  it("warns of values that another YAML reader takes for something else", async () => {
    const { warnings } = await load("registries: [{provider: probe, name: a, token: on}]\n");
    expect(warnings).toEqual([expect.stringContaining("signalbox.yaml:1:")]);
  });

  it("warns of registries that rules of services name and that are none", async () => {
    const { warnings } = await load(
      [
        "registries: [{provider: probe, name: main}, {provider: probe, name: other}]",
        "services:",
        "  - match: a",
        "    merge: { split: { probe/mian: 90, probe/other: 10 } }",
        "  - match: b",
        "    merge: { prefer: [probe/*, eureka/*] }",
        "  - match: c",
        "    merge: { authoritative: zzz }",
        "  - match: d",
        "    merge: union",
        "  - match: e",
        "    ramp: { steps: [{ at: '2026-03-01T09:00:00Z', split: { probe/main: 1, prob/other: 0 } }] }",
      ].join("\n"),
    );
    const none = "; there are probe/main, probe/other";
    expect(warnings.map((warning) => warning.replace(/^.*signalbox.yaml:/, ""))).toEqual([
      '4:23: services[0].merge.split.probe/mian: no registry is probe/mian; did you mean "probe/main"?',
      `6:32: services[1].merge.prefer[1]: no registry is eureka/*${none}`,
      `8:29: services[2].merge.authoritative: no registry is zzz${none}`,
      '12:75: services[4].ramp.steps[0].split.prob/other: no registry is prob/other; did you mean "probe/other"?',
    ]);
  });

  it("warns of none where there are no registries, because somebody else reads them", async () => {
    const { warnings } = await load("services: [{match: a, merge: {prefer: [probe/a]}}]");
    expect(warnings).toEqual([]);
  });

  it("creates what the module makes", async () => {
    const { registries } = await load("registries: [{provider: probe, name: a}]");
    const [planned] = registries;
    const deps = { name: "a", logger: silentLogger, clock: systemClock, metrics: noMetrics, baseDir: dir };
    expect(planned?.module.create(planned.config, deps).id).toBe("probe/a");
  });
});
