import { expect, it } from "vitest";
import { encodeContent } from "../testing/fake-stream.ts";
import { resourceOf } from "../resource.ts";
import { ChangeHistory } from "./change-history.ts";

const resource = (name: string) => resourceOf(name, encodeContent(name, "1"));
const plenty = 1_000_000;

it("says what changed after an epoch, and the content of what is gone and did not come back", () => {
  const history = new ChangeHistory();
  const [a, b] = [resource("a"), resource("b")];
  history.note(1, "z", undefined, plenty);
  history.note(2, "a", a, plenty);
  history.note(2, "b", b, plenty);
  history.note(3, "b", undefined, plenty);
  expect(history.since(1)).toEqual({ names: new Set(["a", "b"]), gone: new Map([["a", a]]) });
  expect(history.since(2)).toEqual({ names: new Set(["b"]), gone: new Map() });
  expect(history.since(3)).toEqual({ names: new Set(), gone: new Map() });
});

it("says so when it does not know any more", () => {
  const history = new ChangeHistory();
  for (let epoch = 1; epoch <= 10; epoch++) history.note(epoch, `name-${epoch}`, undefined, 4);
  expect([history.since(5), history.since(6)?.names.size]).toEqual([undefined, 4]);
  history.forget(20);
  expect([history.since(19), history.since(20)?.names.size]).toEqual([undefined, 0]);
});

it("keeps one change however large it is, and forgets what is older than some hundred", () => {
  const history = new ChangeHistory();
  for (let name = 0; name < 100; name++) history.note(1, `name-${name}`, undefined, 4);
  expect(history.since(0)?.names.size).toBe(100);
  for (let epoch = 2; epoch <= 2_000; epoch++) history.note(epoch, "a", undefined, plenty);
  expect([history.since(1), history.since(1_999)?.names.size]).toEqual([undefined, 1]);
});
