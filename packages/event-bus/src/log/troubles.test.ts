import { describe, expect, it } from "vitest";
import { HandClock } from "../testing/hand-clock.ts";
import { Troubles } from "./troubles.ts";

function fresh() {
  const clock = new HandClock();
  const said: string[] = [];
  return { clock, said, troubles: new Troubles(clock, (message) => said.push(message)) };
}

describe("troubles", () => {
  it("are said at once, and are current until they are over", () => {
    const { said, troubles } = fresh();
    expect(troubles.current).toBeUndefined();
    troubles.note("lease", "refused");
    troubles.note("follower", "cut");
    expect(said).toEqual(["refused", "cut"]);
    troubles.over("lease");
    expect(troubles.current).toBe("cut");
    troubles.over("follower");
    expect(troubles.current).toBeUndefined();
  });

  it("that last for hours are said each ten minutes, though two parts see them differently", () => {
    const { clock, said, troubles } = fresh();
    for (let second = 0; second < 3600; second++) {
      troubles.note("lease", "refused");
      troubles.note("follower", "cut");
      clock.jump(1000);
    }
    expect(said).toHaveLength(12);
  });

  it("that come and go, in other words each time, are said each ten seconds at most", () => {
    const { clock, said, troubles } = fresh();
    for (let round = 0; round < 600; round++) {
      troubles.note("lease", `refused ${round}`);
      troubles.over("lease");
      clock.jump(100);
    }
    expect(said).toHaveLength(6);
    expect(troubles.current).toBeUndefined();
  });
});
