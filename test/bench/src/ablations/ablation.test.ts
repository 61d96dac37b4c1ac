import { expect, it } from "vitest";
import { AblationError, edited, sourceOf } from "./ablation.ts";

const ablation = { name: "cache" };
const edit = { file: "a/dist/b.js", find: "if (known)", put: "if ($&)" };

it("replaces a text by exactly another one, one edit after the other", () => {
  const next = { ...edit, find: "if ($&)\n    x", put: "y" };
  expect(edited("a();\nif (known)\n    x;\n", ablation, [edit, next])).toBe("a();\ny;\n");
});

it.each([
  ["a();\n", 'cache: a/dist/b.js does not have "if (known)"'],
  ["if (known) a();\nif (known) b();\n", 'cache: a/dist/b.js has 2 times "if (known)"'],
])("refuses %j and names the edit", (text, message) => {
  expect(() => edited(text, ablation, [edit])).toThrow(new AblationError(message));
});

it("says where the source of it is", () => {
  expect(sourceOf({ ...ablation, what: "", edits: [edit], looks: [] })).toBe("a/src/b.ts");
});
