import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { registryId, serviceKey } from "@signalbox/model";
import { silentLogger } from "@signalbox/registry";
import { afterEach, beforeEach, expect, it } from "vitest";
import { eventually } from "../testing/eventually.ts";
import { CatalogJournal } from "./catalog-journal.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "signalbox-journal-"));
});
afterEach(() => {
  rmSync(dir, { recursive: true, force: true });
});

const options = {
  get dir() {
    return dir;
  },
  logger: silentLogger,
  configHash: "c",
  now: () => 1,
  contents: () => [],
  ramps: () => [],
  slowStarts: () => [],
};
const journal = () => new CatalogJournal(options);
const read = { type: "read", at: 2, registry: registryId("fake", "one") } as const;

/** Runs a journal for as long as `during` takes. */
async function open(one: CatalogJournal, during: () => void): Promise<void> {
  const stop = new AbortController();
  const ended = one.run(stop.signal);
  await eventually("the journal", () => one.status() !== undefined);
  during();
  stop.abort();
  await ended;
}

it("says how it is while it is open, and goes on counting after a restart", async () => {
  const first = journal();
  expect(first.status()).toBeUndefined();
  await open(first, () => {
    const before = first.status()?.seq ?? 0;
    first.take(read);
    // Before the first input comes all that the registries say.
    expect(first.status()).toMatchObject({ seq: before + 2, lost: 0 });
    expect(first.status()).not.toHaveProperty("degraded");
  });
  expect(first.status()).toBeUndefined();
  const again = journal();
  await open(again, () => expect(again.status()?.seq).toBeGreaterThan(3));
});

it("counts as lost what found no room before it was open", async () => {
  const one = journal();
  for (let i = 0; i < 100_003; i++) one.take(read);
  await open(one, () => expect(one.status()?.lost).toBe(3));
});

it("writes down what was withdrawn from a registry, and begins with what is slow to start", async () => {
  const service = serviceKey({ namespace: "shop", hostname: "orders.test" });
  const slowStarts = [{ service, endpoints: [] }];
  const one = new CatalogJournal({ ...options, slowStarts: () => slowStarts });
  const registry = registryId("fake", "one");
  const gone = { registry, service, instance: "i", address: "10.0.0.1:80", since: 1, outcome: "DONE" } as const;
  await open(one, () => one.take({ type: "withdrawal", at: 2, ...gone }));
  const rows = await one.rows({ limit: 10 });
  expect(rows.map(({ kind }) => kind)).toEqual(["config", "snapshot", "decision"]);
  expect(rows[1]?.detail).toMatchObject({ state: { slowStarts } });
  expect(rows[2]?.detail).toEqual({
    ...{ stage: "withdrawal", code: "DONE", registry, service },
    detail: { instance: "i", address: "10.0.0.1:80", since: 1 },
  });
});
