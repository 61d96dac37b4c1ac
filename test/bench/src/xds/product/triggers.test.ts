import { expect, it, onTestFinished } from "vitest";
import { serveTriggers } from "./triggers.ts";

it("answers what a trigger gives, says what is wrong with a request, and knows no other path", async () => {
  const { port, server } = await serveTriggers({
    "/add": (query) => ({ sum: query.number("a") + query.number("b") }),
    "/nothing": () => {},
  });
  onTestFinished(() => void server.close());
  const ask = async (path: string) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, { headers: { connection: "close" } });
    return [answer.status, await answer.text()];
  };
  expect(await ask("/add?a=1&b=2")).toEqual([200, '{"sum":3}']);
  expect(await ask("/nothing")).toEqual([200, "{}"]);
  expect(await ask("/add?a=1")).toEqual([400, "b must be given"]);
  expect(await ask("/add?a=1&b=-1")).toEqual([400, "b must be a whole number from 0"]);
  expect(await ask("/constructor")).toEqual([404, ""]);
});
