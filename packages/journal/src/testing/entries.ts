import { registryId, serviceKey } from "@signalbox/model";
import type { ServiceRecord } from "@signalbox/model";
import fc from "fast-check";
import { createJournal } from "../journal.ts";
import type { JournalOptions } from "../journal.ts";
import { readJournal } from "../read.ts";
import type { ReadOptions } from "../read.ts";
import type { JournalEntry, JournalRecord } from "../records.ts";

const registry = registryId("memory", "one");

/** A service with one endpoint, whose labels are given. */
export function recordOf(name: string, labels: Readonly<Record<string, string>> = {}): ServiceRecord {
  const provenance = { registry, object: name };
  return {
    service: {
      hostname: name,
      namespace: "shop",
      ports: [{ name: "http", number: 80, protocol: "HTTP" }],
      resolution: "STATIC",
      addresses: [],
      labels,
      meshExternal: false,
      exportTo: [],
      serviceAccounts: [],
      provenance,
    },
    instances: [
      {
        id: `${name}-1`,
        servicePort: "http",
        addresses: [{ type: "ip", ip: "10.0.0.1", port: 8080 }],
        labels,
        locality: { region: "", zone: "", subzone: "" },
        network: "",
        serviceAccount: "",
        tls: "disabled",
        healthStatus: "HEALTHY",
        weight: 1,
        provenance,
      },
    ],
  };
}

/** A change of one service. */
export function updateOf(at: number, name: string, labels: Readonly<Record<string, string>> = {}): JournalEntry {
  return {
    type: "update",
    at,
    registry,
    update: { type: "delta", records: { upserted: [recordOf(name, labels)], removed: [] } },
  };
}

/** A snapshot of one service. */
export function snapshotOf(at: number, name = "a"): JournalEntry {
  return { type: "snapshot", at, registries: [{ registry, records: [recordOf(name)], workloads: [], objects: [] }] };
}

const labels = fc.dictionary(
  fc.oneof(fc.constantFrom("app", "password", "api-key", "__proto__", "ключ", "monkey"), fc.string({ maxLength: 6 })),
  fc.string({ maxLength: 8, unit: "binary" }),
  { maxKeys: 4 },
);
const name = fc.constantFrom("a", "b", "c");
/** Plain JSON data. Minus zero is left out: JSON writes it as zero. */
const json = fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.parse(JSON.stringify(value)) as unknown);

const body: fc.Arbitrary<(at: number) => JournalEntry> = fc.oneof(
  fc.tuple(name, labels).map(
    ([service, given]) =>
      (at: number) =>
        updateOf(at, service, given),
  ),
  fc.constant((at: number): JournalEntry => ({ type: "alive", at, registry })),
  fc.string().map((message) => (at: number): JournalEntry => ({
    type: "degraded",
    at,
    registry,
    problem: "UNREACHABLE",
    message,
  })),
  fc.constant((at: number): JournalEntry => ({ type: "tick", at })),
  fc.tuple(fc.constantFrom("guard", "drift", "ramp"), json).map(([stage, detail]) => (at: number): JournalEntry => ({
    type: "decision",
    at,
    stage,
    code: "HELD",
    service: serviceKey({ namespace: "shop", hostname: "a" }),
    detail,
  })),
  fc.tuple(fc.string(), json).map(([author, detail]) => (at: number): JournalEntry => ({
    type: "operator",
    at,
    author,
    action: "override",
    detail,
  })),
  fc.string().map((config) => (at: number): JournalEntry => ({ type: "config", at, config })),
  name.map((service) => (at: number) => snapshotOf(at, service)),
);

/** Entries of all types, whose times never go back. */
export function entries(maxLength: number): fc.Arbitrary<JournalEntry[]> {
  return fc.array(fc.tuple(body, fc.nat(2000)), { maxLength }).map((steps) => {
    let at = 1_000;
    return steps.map(([make, passed]) => {
      at += passed;
      return make(at);
    });
  });
}

/** Opens a journal, appends, and closes it. */
export async function write(entriesToAdd: readonly JournalEntry[], options: JournalOptions): Promise<void> {
  const journal = await createJournal(options);
  for (const entry of entriesToAdd) journal.append(entry);
  await journal.close();
}

/** All that is read. */
export async function readAll(dir: string, options: ReadOptions = {}): Promise<JournalRecord[]> {
  const records: JournalRecord[] = [];
  for await (const record of readJournal(dir, options)) records.push(record);
  return records;
}

/** A record without what ties it into the journal. */
export function entryOf({ seq: _, prev: __, hash: ___, ...entry }: JournalRecord): unknown {
  return entry;
}
