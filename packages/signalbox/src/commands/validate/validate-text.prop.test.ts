import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { validateText } from "./validate-text.ts";

/** How many texts are made; SIGNALBOX_FUZZ_RUNS asks for more. */
const runs = Number(process.env["SIGNALBOX_FUZZ_RUNS"] ?? 2_000);

const texts = [
  `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: web, namespace: shop, annotations: { a: b } }
spec:
  hosts: [web, "*.example.com"]
  http:
    - match: [{ uri: { prefix: /a }, headers: { x-user: { regex: "^(?i)a{1,3}$" } } }]
      route:
        - destination: { host: web, port: { number: 80 } }
          weight: 1
      timeout: 1.5s
`,
  `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata:
  name: web
spec:
  host: web
  trafficPolicy:
    loadBalancer: { consistentHash: { maglev: { tableSize: 65537 } } }
  subsets:
  - &a { name: v1, labels: { version: v1 } }
  - { <<: *a, name: v2 }
`,
  `{"apiVersion": "v1", "kind": "List", "items": [{"apiVersion": "networking.istio.io/v1", "kind": "ServiceEntry",
 "metadata": {"name": "a"}, "spec": {"hosts": ["a.b"], "ports": [{"number": 80, "name": "http", "protocol": "HTTP"}], "resolution": "DNS"}}]}
`,
];
const piece = fc.oneof(
  fc.constantFrom(
    "---\n",
    "\n",
    " ",
    ":",
    "- ",
    "[",
    "}",
    "{",
    "'",
    '"',
    "|\n",
    "&a ",
    "*a",
    "<<: ",
    "!!binary ",
    "# ",
  ),
  fc.constantFrom(
    "__proto__: ",
    "1e400",
    ".nan",
    "0x7f",
    "9".repeat(50),
    "null",
    "on",
    "\u0000",
    "\uFEFF",
    "\t",
    "%YAML 1.2\n",
  ),
  fc.constantFrom("[".repeat(200), "{a: ".repeat(120), "- ".repeat(150)),
  fc.string({ maxLength: 4, unit: "binary" }),
);
const edit = fc.record({ at: fc.nat(), length: fc.nat({ max: 12 }), piece });

describe("validateText", () => {
  it(
    "answers once for each document of any text, in order and with places, and never throws",
    () => {
      fc.assert(
        fc.property(
          fc.array(fc.constantFrom(...texts), { minLength: 1, maxLength: 3 }),
          fc.array(edit, { maxLength: 5 }),
          (documents, edits) => {
            let text = documents.join("---\n");
            for (const { at, length, piece: written } of edits) {
              const start = at % (text.length + 1);
              text = text.slice(0, start) + written + text.slice(start + length);
            }
            const verdicts = validateText(text, "any.yaml");
            expect(verdicts.map(({ document }) => document)).toEqual(verdicts.map((_, index) => index));
            if (edits.length === 0) expect(verdicts.flatMap(({ errors }) => errors)).toEqual([]);
            for (const { column, line, message } of verdicts.flatMap(({ errors, warnings }) => [
              ...errors,
              ...warnings,
            ])) {
              expect(message).not.toBe("");
              expect(Math.min(line, column)).toBeGreaterThan(0);
              expect(line).toBeLessThanOrEqual(text.split(/\r\n|[\r\n]/).length);
            }
          },
        ),
        { numRuns: runs },
      );
    },
    runs * 20 + 60_000,
  );
});
