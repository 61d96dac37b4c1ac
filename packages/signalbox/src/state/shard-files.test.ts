import { mkdtemp, open, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ArchivedShard } from "@signalbox/aggregate";
import { contentHash, registryId } from "@signalbox/model";
import type { Logger } from "@signalbox/registry";
import { configObject, serviceRecord, workload } from "@signalbox/registry/conformance";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createShardFiles } from "./shard-files.ts";
import { decodeShard, encodeShard, ShardFileError } from "./shard-text.ts";

let dir: string;
let ignored: { readonly registry: string; readonly file: string; readonly fault: string }[];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "shard-files-"));
  ignored = [];
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const logger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error(event, fields) {
    expect(event).toBe("state-file-ignored");
    ignored.push(fields as (typeof ignored)[number]);
  },
};
const files = (folder = dir) => createShardFiles({ dir: folder, logger });
const one = registryId("consul", "dc1");
const path = (): string => join(dir, "consul~dc1.shard");

function shardOf(...names: readonly string[]): ArchivedShard {
  const records = names.map((name) =>
    serviceRecord({ hostname: `${name}.test`, namespace: "test", ports: [80], instances: ["192.0.2.1"] }),
  );
  return { lastCompleteRead: 1_767_225_600_000, records, workloads: [], objects: [] };
}

const text = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 8 }),
  fc.constantFrom("\n", "__proto__", "\u2028", "\ud800"),
);
const shard: fc.Arbitrary<ArchivedShard> = fc
  .record({
    lastCompleteRead: fc.maxSafeNat(),
    records: fc.array(fc.record({ name: fc.nat(50), labels: fc.dictionary(text, text, { maxKeys: 3 }) }), {
      maxLength: 300,
    }),
    specs: fc.array(fc.jsonValue(), { maxLength: 3 }),
    workloads: fc.nat(3),
  })
  .map(({ lastCompleteRead, records, specs, workloads }) => ({
    lastCompleteRead,
    records: records.map(({ name, labels }) => {
      const record = serviceRecord({
        hostname: `n${name}.test`,
        namespace: "test",
        ports: [80],
        instances: ["192.0.2.1"],
      });
      return { ...record, service: { ...record.service, labels } };
    }),
    workloads: Array.from({ length: workloads }, (_, index) => workload({ name: `w${index}` })),
    objects: specs.map((spec, index) => ({ ...configObject({ name: `o${index}` }), spec })),
  }));

function decoded(bytes: Buffer): ArchivedShard {
  const decoding = decodeShard(one, bytes);
  for (;;) {
    const step = decoding.next();
    if (step.done === true) return step.value;
  }
}

describe("a saved shard", () => {
  it("is what was saved, hash for hash", async () => {
    const archive = files();
    await fc.assert(
      fc.asyncProperty(shard, async (original) => {
        await archive.save(one, original);
        const loaded = await archive.load(one);
        // Undefined is not part of JSON, and no record of the model has it.
        expect(contentHash(loaded)).toBe(contentHash(JSON.parse(JSON.stringify(original))));
      }),
      { numRuns: 60 },
    );
    expect(ignored).toEqual([]);
  });

  it("is refused after any change of one byte, and when it was cut anywhere", () => {
    const bytes = Buffer.from([...encodeShard(one, shardOf("a", "b"))].join(""));
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const changed = Buffer.from(bytes);
        changed[at] = (changed[at] ?? 0) ^ flip;
        expect(() => decoded(changed)).toThrow(ShardFileError);
        expect(() => decoded(bytes.subarray(0, at))).toThrow(ShardFileError);
      }),
      { numRuns: 200 },
    );
  });

  it("is one file for each registry, readable by its owner only", async () => {
    const folder = join(dir, "deep", "state");
    const ids = [one, registryId("consul", "dc2"), registryId("static", "files")];
    for (const [index, id] of ids.entries()) await files(folder).save(id, shardOf(`s${index}`));
    expect((await readdir(folder)).sort()).toEqual(["consul~dc1.shard", "consul~dc2.shard", "static~files.shard"]);
    expect((await stat(folder)).mode & 0o777).toBe(0o700);
    expect((await stat(join(folder, "consul~dc1.shard"))).mode & 0o777).toBe(0o600);
    for (const [index, id] of ids.entries()) {
      expect((await files(folder).load(id))?.records.map(({ service }) => service.hostname)).toEqual([
        `s${index}.test`,
      ]);
    }
  });

  it("stays whole while a new one is written, and when that ended in the middle", async () => {
    await files().save(one, shardOf("old"));
    const watching = await open(path(), "r");
    try {
      await files().save(one, shardOf("new"));
      // Who had the old file open still reads all of it: it was replaced, not overwritten.
      expect(decoded(await watching.readFile()).records[0]?.service.hostname).toBe("old.test");
    } finally {
      await watching.close();
    }
    await writeFile(`${path()}.tmp`, "half");
    expect((await files().load(one))?.records[0]?.service.hostname).toBe("new.test");
    await files().save(one, shardOf("newer"));
    expect((await readdir(dir)).sort()).toEqual(["consul~dc1.shard"]);
  });
});

describe("a file that cannot be used", () => {
  it("is none when it is missing", async () => {
    expect(await files().load(one)).toBeUndefined();
    expect(await files(join(dir, "missing")).load(one)).toBeUndefined();
    expect(ignored).toEqual([]);
  });

  const lines = (head: object): string => `${JSON.stringify(head)}\n{"sha256":"0"}\n`;
  it.each([
    ["empty", "", "CORRUPT"],
    ["junk", "\0\0\0", "CORRUPT"],
    ["another file", '{"services":[]}\n', "CORRUPT"],
    ["without a checksum", lines({ format: "signalbox-shard", v: 1, registry: one }), "CORRUPT"],
    ["of a newer release", lines({ format: "signalbox-shard", v: 2, registry: one }), "NEWER"],
    ["of another registry", [...encodeShard(registryId("consul", "dc2"), shardOf("a"))].join(""), "FOREIGN"],
  ])("is ignored loudly and left alone: %s", async (_name, content, fault) => {
    await writeFile(path(), content);
    expect(await files().load(one)).toBeUndefined();
    expect(ignored).toMatchObject([{ registry: one, file: path(), fault }]);
    expect(await readFile(path(), "utf8")).toBe(content);
    await files().save(one, shardOf("a"));
    expect(await files().load(one)).toMatchObject({ records: [{ service: { hostname: "a.test" } }] });
  });

  it("is an error where the system refuses it", async () => {
    await symlink(path(), path());
    await expect(files().load(one)).rejects.toMatchObject({ code: "ELOOP" });
    await writeFile(join(dir, "file"), "");
    await expect(files(join(dir, "file")).save(one, shardOf())).rejects.toMatchObject({ code: "EEXIST" });
  });
});
