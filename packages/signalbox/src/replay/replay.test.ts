import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readJournal, type JournalEntry, type JournalRecord } from "@signalbox/journal";
import { canonicalJson, registryId, serviceKey } from "@signalbox/model";
import { silentLogger, type Registry, type RegistryModule, type RegistrySink } from "@signalbox/registry";
import { FakeClock } from "@signalbox/registry/conformance";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parseConfig } from "../config/check.ts";
import { planRegistries } from "../config/registries.ts";
import type { SignalboxConfigInput } from "../config/schema.ts";
import { createSignalbox } from "../signalbox.ts";
import { replay } from "./replay.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "signalbox-replay-"));
});
afterEach(async () => {
  await rm(dir, { recursive: true, force: true });
});

const probe = registryId("probe", "main");
const instance = (ip: string) => ({
  id: ip,
  servicePort: "http",
  addresses: [{ type: "ip", ip, port: 8080 }] as const,
  labels: {},
  locality: { region: "", zone: "", subzone: "" },
  network: "",
  serviceAccount: "",
  tls: "disabled" as const,
  healthStatus: "HEALTHY" as const,
  weight: 1,
  provenance: { registry: probe, object: ip },
});
const record = (name: string, ...ips: readonly string[]) => ({
  service: {
    hostname: `${name}.probe`,
    namespace: "default",
    ports: [{ name: "http", number: 80, protocol: "HTTP" as const }],
    resolution: "STATIC" as const,
    addresses: [],
    labels: {},
    meshExternal: false,
    exportTo: [],
    serviceAccounts: [],
    provenance: { registry: probe, object: name },
  },
  instances: ips.map(instance),
});

/** A provider whose registry says what the test has it say. */
function probeModule() {
  let sink: RegistrySink | undefined;
  const create = (): Registry => ({
    id: probe,
    run: async (own, signal) => {
      sink = own;
      await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
    },
  });
  const module: RegistryModule<unknown> = { provider: "probe", parseConfig: () => ({}), create };
  return { module, sink: () => sink as RegistrySink };
}

const registries = [{ provider: "probe", name: "main" }];

/** Lives through a history with guards and an override, on a clock of its own, and leaves its journal. */
async function live(config: SignalboxConfigInput) {
  const { module, sink } = probeModule();
  const clock = new FakeClock();
  const signalbox = await createSignalbox(
    { registries, xds: { plaintext: false }, debug: false, journal: { dir: join(dir, "journal") }, ...config },
    { modules: [module], clock, baseDir: dir },
  );
  const stop = new AbortController();
  const ended = signalbox.run(stop.signal);
  await clock.advance(0);
  const pass = async (ms: number) => clock.advance(ms);
  sink().push({
    type: "snapshot",
    records: ["a", "b", "c", "d", "e"].map((name, at) => record(name, `192.0.2.${at}`)),
  });
  await pass(2000);
  sink().push({ type: "delta", records: { upserted: [record("a", "192.0.2.0", "192.0.2.100")], removed: [] } });
  await pass(2000);
  // Three of five services are gone at once: doubted where the registry is guarded.
  sink().push({ type: "snapshot", records: [record("a", "192.0.2.0", "192.0.2.100"), record("b", "192.0.2.1")] });
  await pass(2000);
  const catalog = signalbox.catalog();
  stop.abort();
  await clock.advance(5000);
  await ended;
  return catalog;
}

async function played(config: SignalboxConfigInput) {
  const { module } = probeModule();
  const parsed = parseConfig({ registries, ...config });
  const { planned } = await planRegistries(parsed, [module]);
  return replay(readJournal(join(dir, "journal")), { config: parsed, registries: planned }, silentLogger);
}

const entriesOf = ({ entries }: Awaited<ReturnType<typeof live>>) => canonicalJson([...entries.values()]);

describe("a replay", () => {
  const guarded = { guards: { registries: ["probe/*"] } };

  it("gives the catalog that was there, byte for byte, each time", async () => {
    const catalog = await live(guarded);
    expect(catalog.entries.size).toBe(5);
    const [first, second] = [await played(guarded), await played(guarded)];
    expect(entriesOf(first.catalog)).toBe(entriesOf(second.catalog));
    expect([...first.catalog.entries.values()].map(({ key, versions }) => [key, versions])).toEqual(
      [...catalog.entries.values()].map(({ key, versions }) => [key, versions]),
    );
    expect(first.records).toBeGreaterThan(3);
    expect(first.unknown).toEqual([]);
  });

  it("says what would have become of the same history under other rules", async () => {
    await live(guarded);
    const other = await played({ guards: { registries: [] } });
    expect([...other.catalog.entries.keys()].sort()).toEqual(
      ["a", "b"].map((name) => serviceKey({ namespace: "default", hostname: `${name}.probe` })),
    );
  });

  it("leaves out what a registry said that the configuration does not have, and says so", async () => {
    await live({});
    const { module } = probeModule();
    const config = parseConfig({});
    const { planned } = await planRegistries(config, [module]);
    const result = await replay(readJournal(join(dir, "journal")), { config, registries: planned }, silentLogger);
    expect(result.unknown).toEqual([probe]);
    expect(result.catalog.entries.size).toBe(0);
  });
});

describe("a replay of ramps", () => {
  const hour = 3_600_000;
  const start = Date.UTC(2026, 0, 1);
  const other = registryId("probe", "other");
  const split = (from: number, to: number) => ({ "probe/main": from, "probe/other": to });
  const config: SignalboxConfigInput = {
    registries: [
      { provider: "probe", name: "main", staleAfter: "never" },
      { provider: "probe", name: "other", staleAfter: "never" },
    ],
    services: [
      {
        match: "a.probe",
        ramp: {
          steps: [
            { at: "2026-01-01T01:00:00Z", split: split(90, 10) },
            { at: "2026-01-01T02:00:00Z", split: split(50, 50) },
            { at: "2026-01-01T03:00:00Z", split: split(0, 100) },
          ],
          gates: { noErrorStates: true },
        },
      },
    ],
  };
  const said = (registry: typeof probe, ip: string): JournalEntry => ({
    type: "update",
    at: start,
    registry,
    update: { type: "snapshot", records: [recordOf(registry, ip)] },
  });
  const recordOf = (registry: typeof probe, ip: string) => {
    const { instances, service } = record("a", ip);
    const provenance = { registry, object: ip };
    return { service: { ...service, provenance }, instances: instances.map((one) => ({ ...one, provenance })) };
  };
  const begin: readonly JournalEntry[] = [
    { type: "config", at: start, config: "" },
    { type: "snapshot", at: start, registries: [], state: { ramps: [] } },
    said(probe, "192.0.2.1"),
    said(other, "192.0.2.2"),
  ];
  /** The part of the traffic, in percent, that goes to the other registry at the end of these entries. */
  const partAfter = async (entries: readonly JournalEntry[]) => {
    const parsed = parseConfig(config);
    const { planned } = await planRegistries(parsed, [probeModule().module]);
    // eslint-disable-next-line @typescript-eslint/require-await -- as a journal gives them
    async function* records(): AsyncGenerator<JournalRecord> {
      for (const [index, entry] of entries.entries()) yield { ...entry, seq: index + 1, prev: "", hash: "" };
    }
    const { catalog } = await replay(records(), { config: parsed, registries: planned }, silentLogger);
    const weights = [...catalog.entries.values()].flatMap(({ instances: of }) => of.map(({ weight }) => weight));
    const [from = 0, to = 0] = weights;
    return Math.round((100 * to) / (from + to));
  };
  const alive = (at: number): JournalEntry => ({ type: "alive", at, registry: probe });
  const operator = (at: number, action: "rollback" | "resume"): JournalEntry => ({
    ...{ type: "operator", at, author: "ann", action: "ramp" },
    detail: { service: serviceKey({ namespace: "default", hostname: "a.probe" }), action },
  });

  it.each<[string, readonly JournalEntry[], number]>([
    ["takes the steps by time", [alive(start + 2 * hour)], 50],
    [
      "holds while a registry was degraded",
      [
        { type: "degraded", at: start + hour, registry: other, problem: "UNREACHABLE", message: "no route" },
        alive(start + 9 * hour),
      ],
      10,
    ],
    ["rolls back with the person", [operator(start + 2.5 * hour, "rollback"), alive(start + 9 * hour)], 10],
    [
      "goes on with the person",
      [
        operator(start + 2.5 * hour, "rollback"),
        operator(start + 4 * hour, "resume"),
        alive(start + 5 * hour + 60_000),
      ],
      50,
    ],
  ])("%s", async (_name, entries, part) => {
    expect(await partAfter([...begin, ...entries])).toBe(part);
  });

  it("begins with the ramps of its first snapshot", async () => {
    const at = start + 9 * hour;
    const later = begin.map((entry) => ({ ...entry, at }));
    expect(await partAfter(later)).toBe(100);
    const shares = Object.entries(split(50, 50)).map(([registry, weight]) => ({ registry, weight }));
    const state = { step: 1, enteredAt: start + 2 * hour, rolledBack: { from: 2, at: start + 4 * hour } };
    const ramps = [{ service: "default/a.probe", shares, state }];
    const known = later.map((entry) => (entry.type === "snapshot" ? { ...entry, state: { ramps } } : entry));
    expect(await partAfter(known)).toBe(50);
  });

  it("is of what the journal of a process has", async () => {
    const { registries: _, ...rest } = config;
    const catalog = await live(rest);
    expect(catalog.entries.get(serviceKey({ namespace: "default", hostname: "a.probe" }))).toBeDefined();
    const { catalog: again } = await played(rest);
    expect(entriesOf(again)).toBe(entriesOf(catalog));
    const written: string[] = [];
    for await (const entry of readJournal(join(dir, "journal"))) {
      if (entry.type === "decision" && entry.stage === "ramp") written.push(entry.code);
    }
    expect(written[0]).toBe("STARTED");
  });
});
