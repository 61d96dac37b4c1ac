import { atOnce } from "@signalbox/slices";
import { anyClient, createRuleBook, type Client } from "@signalbox/traffic";
import fc from "fast-check";
import { expect, it } from "vitest";
import { Directory } from "./directory.ts";
import { meshSettings } from "./mesh.ts";
import { step, World } from "./testing/rules-world.ts";

const clients: readonly Client[] = [
  { ...anyClient, namespace: "one" },
  { ...anyClient, namespace: "two" },
  { ...anyClient, namespace: "two", labels: { app: "web" } },
];

it("names as particular to clients all that they see otherwise than everybody, told one by one as at once", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 8 }), (steps) => {
      const book = createRuleBook();
      const directory = new Directory(meshSettings({}), book);
      const world = new World();
      for (const [index, one] of steps.entries()) {
        const event = world.next(one, index + 2);
        if (event.type === "delta") atOnce(directory.applying(event.delta.entries, book.apply(event.delta.objects)));
      }
      for (const client of clients) {
        const particular = atOnce(directory.particular(client, ""));
        for (const host of directory.hosts()) {
          expect([host, directory.isParticular(host, client, "")]).toEqual([host, particular.has(host)]);
          if (particular.has(host)) continue;
          expect(directory.visible(host, client)).toBe(directory.visible(host, anyClient));
        }
      }
    }),
    { numRuns: Number(process.env["SIGNALBOX_RULE_RUNS"] ?? 300) },
  );
});
