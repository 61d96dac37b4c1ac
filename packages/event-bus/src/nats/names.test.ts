import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CatalogNames } from "./names.ts";
import { NatsOptionsError } from "./options.ts";

const catalog = fc.string({ minLength: 1, maxLength: 20, unit: "grapheme" });

describe("the names of a catalog's streams", () => {
  it("are plain for a plain name", () => {
    const names = new CatalogNames("prod-1");
    expect(names.control).toEqual({ stream: "SIGNALBOX_prod-1_CONTROL", subject: "signalbox.prod-1.control" });
    expect(names.log({ number: 7, nonce: "n-1" })).toEqual({
      stream: "SIGNALBOX_prod-1_LOG_7_n-1",
      subject: "signalbox.prod-1.log.7-n-1",
    });
  });

  it("have only characters that the server takes, whatever the catalog is called", () => {
    fc.assert(
      fc.property(catalog, (name) => {
        const { control, lease } = new CatalogNames(name);
        for (const { stream, subject } of [control, lease]) {
          expect(stream).toMatch(/^[A-Za-z0-9_-]+$/);
          expect(subject).toMatch(/^signalbox\.[A-Za-z0-9_-]+\.[a-z]+$/);
        }
      }),
    );
  });

  it("are different for different catalogs, and tell a log's claim for their own catalog only", () => {
    fc.assert(
      fc.property(catalog, catalog, fc.nat(), fc.uuid(), (one, other, number, nonce) => {
        fc.pre(one !== other);
        const [mine, theirs] = [new CatalogNames(one), new CatalogNames(other)];
        const claim = { number, nonce };
        expect(mine.control.stream).not.toBe(theirs.control.stream);
        expect(mine.claimOf(mine.log(claim).stream)).toEqual(claim);
        expect(theirs.claimOf(mine.log(claim).stream)).toBeUndefined();
        for (const { stream } of [mine.control, mine.lease]) expect(mine.claimOf(stream)).toBeUndefined();
      }),
    );
  });

  it.each(["", "x".repeat(65)])("refuses a name that is none: %j", (name) => {
    expect(() => new CatalogNames(name)).toThrow(NatsOptionsError);
  });
});
