import { expect, it } from "vitest";
import { parseProfileOptions } from "./profile-command.ts";

it("profiles the product of a cell, in a folder named after it", () => {
  const { folder, scene } = parseProfileOptions(["endpoint-1000"]);
  expect(scene).toMatchObject({ server: { type: "product" }, probe: "profile", mesh: { services: 1000 } });
  expect(folder).toMatch(/\/profile-endpoint-1000$/);
  expect(parseProfileOptions(["quick-rule", "--folder", "/srv/x"]).folder).toBe("/srv/x");
});

it.each([
  [[], "one cell must be named"],
  [["rule", "storm"], "one cell must be named"],
  [["trains"], 'there is no cell "trains"'],
  [["files-100"], "files-100 has no product with a mesh in memory"],
])("refuses %j", (args, said) => {
  expect(() => parseProfileOptions(args)).toThrow(said);
});
