import { expect, it } from "vitest";
import { rememberLast } from "./remember-last.ts";

function counted(size: number) {
  const asked: number[] = [];
  const remembered = rememberLast(size, (question: number) => {
    asked.push(question);
    return { question };
  });
  return { asked, remembered };
}

it("works an answer out once, and gives the same one again", () => {
  const { asked, remembered } = counted(3);
  const first = remembered(1);
  expect(remembered(1)).toBe(first);
  expect(asked).toEqual([1]);
});

it("knows the answers to the last questions, however many came before", () => {
  const { asked, remembered } = counted(3);
  for (let question = 0; question < 100; question++) remembered(question);
  asked.length = 0;
  for (const question of [99, 98, 97]) remembered(question);
  expect(asked).toEqual([]);
});

it("keeps what is asked again and again, whatever comes and goes beside it", () => {
  const { asked, remembered } = counted(3);
  for (let question = 1; question < 100; question++) {
    remembered(0);
    remembered(question);
  }
  expect(asked.filter((question) => question === 0)).toHaveLength(1);
});

it("lets go of an answer when twice as many questions followed it", () => {
  const { asked, remembered } = counted(3);
  for (let question = 0; question <= 6; question++) remembered(question);
  asked.length = 0;
  remembered(0);
  expect(asked).toEqual([0]);
});
