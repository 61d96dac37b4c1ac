import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { serviceKey } from "@signalbox/model";
import type { SavedSlowStart } from "@signalbox/policy";
import type { Logger } from "@signalbox/registry";
import { afterEach, beforeEach, expect, it } from "vitest";
import { createSlowStartFile } from "./slow-start-file.ts";

let dir: string;
let errors: string[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "slow-start-file-"));
  errors = [];
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const logger: Logger = { debug() {}, info() {}, warn() {}, error: (event) => void errors.push(event) };
const saved = (since: number): readonly SavedSlowStart[] => [
  {
    service: serviceKey({ namespace: "shop", hostname: "orders.test" }),
    endpoints: [
      { servicePort: "http", address: "10.0.0.1:80", ids: ["eureka/main a"], since },
      { servicePort: "http", address: "10.0.0.2:80", ids: ["eureka/main b"], since, leftAt: since + 1 },
    ],
  },
];

it("gives back what was saved last, once for all changes that come together", async () => {
  const path = join(dir, "deep", "slow-starts.json");
  const file = createSlowStartFile(path, logger);
  expect(file.load()).toEqual([]);
  let asked = 0;
  for (const since of [1, 2, 3])
    file.save(() => {
      asked++;
      return saved(since);
    });
  await Promise.resolve();
  // Whoever is asked says what is so now; the first one that asked is as good as the last.
  expect(asked).toBe(1);
  file.save(() => saved(4));
  await Promise.resolve();
  expect(createSlowStartFile(path, logger).load()).toEqual(saved(4));
  expect(errors).toEqual([]);
});

it.each(["", "{}", '{"v":2,"slowStarts":[]}', '{"v":1,"slowStarts":[{"service":"a/b"}]}'])(
  "ignores a file that holds %j, and says so",
  (text) => {
    const path = join(dir, "slow-starts.json");
    writeFileSync(path, text);
    expect(createSlowStartFile(path, logger).load()).toEqual([]);
    expect(errors).toEqual(["slow-starts-restore-failed"]);
  },
);

it("logs that it cannot save", async () => {
  writeFileSync(join(dir, "file"), "");
  createSlowStartFile(join(dir, "file", "slow-starts.json"), logger).save(() => saved(1));
  await Promise.resolve();
  expect(errors).toEqual(["slow-starts-save-failed"]);
});
