import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { HttpError, type HttpFailure } from "./http-error.ts";

describe("the problem of a source", () => {
  it("follows from the failure as the README says", () => {
    const readme = readFileSync(join(import.meta.dirname, "../README.md"), "utf8");
    const rows = [...readme.matchAll(/^\| ((?:`[A-Z_]+`(?:, )?)+) +\|.*\| `([A-Z_]+)` +\|$/gm)];
    const documented = rows.flatMap(([, failures = "", problem = ""]) =>
      failures.split(", ").map((failure) => [failure.replaceAll("`", ""), problem]),
    );
    expect(documented.length).toBe(8);
    const told = documented.map(([failure]) => [failure, new HttpError(failure as HttpFailure, "", "").problem]);
    expect(told).toEqual(documented);
  });
});
