import fc from "fast-check";
import { expect, it } from "vitest";
import { coversHost, HostPatterns } from "./host-patterns.ts";

const label = fc.constantFrom("a", "b", "a-b", "svc");
const host = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join("."));
const pattern = fc.oneof(
  host,
  fc.constant("*"),
  host.map((rest) => `*.${rest}`),
  host.map((rest) => `*-${rest}`),
);

it("patterns cover what one of them covers, also when some of them are gone", () => {
  fc.assert(
    fc.property(fc.array(pattern), fc.array(pattern), pattern, (kept, gone, asked) => {
      const patterns = new HostPatterns([...kept, ...gone]);
      for (const one of gone) if (!kept.includes(one)) patterns.delete(one);
      const covering = [...new Set(kept)].filter((one) => coversHost(one, asked));
      expect([...patterns.over(asked)].sort()).toEqual(covering.sort());
      expect(patterns.covers(asked)).toBe(covering.length > 0);
      expect(patterns.size).toBe(new Set(kept).size);
      expect(patterns.anyWildcard).toBe(kept.some((one) => one.startsWith("*")));
      expect([...patterns].sort()).toEqual([...new Set(kept)].sort());
    }),
  );
});
