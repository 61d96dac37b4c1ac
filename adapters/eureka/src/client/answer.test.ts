import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { statusHash } from "../registry/peer.ts";
import { parseAnswer, type EurekaAnswer } from "./answer.ts";

const folder = join(import.meta.dirname, "../../testdata/in");
const recorded = (name: string, kind: "full" | "delta" = "full"): EurekaAnswer =>
  parseAnswer(readFileSync(join(folder, `${name}.json`), "utf8"), kind);

describe("parseAnswer", () => {
  it.each(readdirSync(folder).filter((name) => !name.startsWith("delta")))(
    "reads %s so that the server's own hash fits",
    (name) => {
      const { entries, unreadable, hash } = recorded(name.replace(".json", ""));
      expect(statusHash(entries.map(({ instance }) => instance))).toBe(hash);
      expect(unreadable).toEqual([]);
    },
  );

  it("leads from one full answer to the next by the delta between them", () => {
    const instances = new Map(recorded("several").entries.map(({ key, instance }) => [key, instance]));
    for (const { key, instance, deleted } of recorded("delta-deleted", "delta").entries) {
      if (deleted) instances.delete(key);
      else instances.set(key, instance);
    }
    expect(instances).toEqual(new Map(recorded("deleted").entries.map(({ key, instance }) => [key, instance])));
  });

  it("goes by the action and not by the status of what was deleted", () => {
    const gone = recorded("delta-deleted", "delta").entries.filter(({ deleted }) => deleted);
    expect(gone.map(({ instance }) => `${instance.id} ${instance.status}`)).toEqual(["b:orders:8080 UP"]);
  });

  it("knows a lease that ran out by its times, and not by the eviction time that every deletion has", () => {
    const [deleted] = recorded("delta-deleted", "delta").entries.filter((one) => one.deleted);
    expect(deleted?.lapse).toBeUndefined();
    const lapses = recorded("delta-evicted", "delta").entries.filter(({ lapse }) => lapse !== undefined);
    expect(lapses.map(({ instance, lapse }) => [instance.id, lapse?.leaseMs])).toEqual([
      ["never-renewed", 4000],
      ["once-renewed", 4000],
    ]);
    for (const { lapse, updatedAt } of lapses) expect(lapse?.at).toBe(updatedAt);
  });

  it.each([
    ["a text", "1795250993419", 1795250993419],
    ["a number", 1795250993419, 1795250993419],
    ["nothing", undefined, undefined],
    ["no time", "0", undefined],
    ["no number", "yesterday", undefined],
  ])("knows since when a client says what it says by its own clock, which may be %s", (_what, sent, expected) => {
    const instance = { instanceId: "a", app: "web", lastUpdatedTimestamp: 7, lastDirtyTimestamp: sent };
    const body = { applications: { apps__hashcode: "", application: { name: "WEB", instance } } };
    const [entry] = parseAnswer(JSON.stringify(body), "full").entries;
    expect(entry?.instance.registeredAt).toBe(expected);
  });

  it("reads numbers as texts, flags as booleans, and lone objects", () => {
    const instance = {
      instanceId: "a",
      app: "web",
      ipAddr: "10.0.0.1",
      status: "UP",
      port: { $: "8080", "@enabled": true },
      securePort: { $: "8443", "@enabled": "true" },
      lastUpdatedTimestamp: 7,
    };
    const body = {
      applications: { versions__delta: 1, apps__hashcode: "UP_1_", application: { name: "WEB", instance } },
    };
    const [entry] = parseAnswer(JSON.stringify(body), "full").entries;
    expect(entry).toMatchObject({ updatedAt: 7, instance: { app: "WEB", port: 8080, securePort: 8443 } });
    const plain = {
      applications: { application: [{ name: "WEB", instance: { ...instance, port: 80, securePort: 443 } }] },
    };
    const [older] = parseAnswer(JSON.stringify(plain), "full").entries;
    expect(older?.instance.port).toBe(80);
    // A secure port without a flag is the default one that nobody listens on.
    expect(older?.instance.securePort).toBeUndefined();
  });

  it.each([
    ["full", { applications: { apps__hashcode: "" } }],
    ["delta", { applications: { apps__hashcode: "UP_2_" } }],
    ["full", { applications: { apps__hashcode: "", application: null } }],
  ] as const)("reads an empty %s answer without a list: %j", (kind, body) => {
    expect(parseAnswer(JSON.stringify(body), kind).entries).toEqual([]);
  });

  it.each([
    "",
    "null",
    "[]",
    "{}",
    '{"applications":[]}',
    '{"applications":{}}',
    '{"applications":{"apps__hashcode":"UP_1_"}}',
  ])("refuses %j", (body) => {
    expect(() => parseAnswer(body, "full")).toThrow(SyntaxError);
  });

  it("reads or refuses any JSON, and throws nothing but a SyntaxError", () => {
    const anything = fc.jsonValue();
    const near = fc.record({
      applications: fc.record({
        apps__hashcode: fc.constantFrom("", "UP_1_"),
        application: fc.array(fc.record({ name: anything, instance: fc.oneof(anything, fc.array(anything)) })),
      }),
    });
    fc.assert(
      fc.property(fc.oneof(anything, near), fc.constantFrom("full" as const, "delta" as const), (value, kind) => {
        try {
          parseAnswer(JSON.stringify(value), kind);
        } catch (error) {
          expect(error).toBeInstanceOf(SyntaxError);
        }
      }),
      { numRuns: 200 },
    );
  });
});
