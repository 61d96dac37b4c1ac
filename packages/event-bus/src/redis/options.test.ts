import { describe, expect, it } from "vitest";
import { currentOf, redisTarget } from "./options.ts";
import { createRedisBus } from "./redis-bus.ts";

describe("the options of a bus over Redis", () => {
  it.each([
    [{ name: "a b" }, "the name of a catalog"],
    [{ name: "a}" }, "the name of a catalog"],
    [{ name: "" }, "the name of a catalog"],
    [{ url: "http://secret@host" }, "begins with redis:// or rediss://"],
    [{ url: "redis://us er:secret@:::" }, "cannot be read"],
    [{ url: "redis://:secret@host/zero" }, "the number of a database"],
    [{ url: "redis://:secret@host?a=b" }, "a query"],
    [{ url: "redis://:sec%ret@host" }, "percent-encoded"],
    [{ url: "redis://host", tls: {} }, "rediss://"],
    [{ username: "somebody" }, "needs a password"],
    [{ port: 0 }, "1 to 65535"],
    [{ db: -1 }, "0 or more"],
    [{ host: "" }, "the host is empty"],
    [{ callMs: 0 }, "callMs"],
    [{ maxFrameBytes: 10 }, "maxFrameBytes"],
  ])("are refused in words without secrets: %j", (options, why) => {
    const make = (): unknown => createRedisBus({ name: "catalog", ...options });
    expect(make).toThrow(expect.objectContaining({ code: "SBX_REDIS_OPTIONS" }) as Error);
    expect(make).toThrow(why);
    expect(make).not.toThrow("sec");
  });

  it("lead to the usual place of a Redis on this machine", () => {
    expect(redisTarget({ name: "catalog" })).toEqual({
      host: "127.0.0.1",
      port: 6379,
      db: 0,
      where: "127.0.0.1:6379",
      username: undefined,
      password: undefined,
      tls: undefined,
    });
  });

  it("are read from a URL, whose parts are percent-encoded", () => {
    expect(redisTarget({ name: "catalog", url: "rediss://wri%3Ater:p%40ss@[2001:db8::1]:7000/3" })).toEqual({
      host: "2001:db8::1",
      port: 7000,
      db: 3,
      where: "[2001:db8::1]:7000",
      username: "wri:ter",
      password: "p@ss",
      tls: {},
    });
  });

  it("count more than what the URL says", () => {
    const password = (): string => "new";
    const target = redisTarget({
      name: "catalog",
      url: "redis://user:old@host",
      port: 7000,
      username: "other",
      password,
    });
    expect(target).toMatchObject({ host: "host", port: 7000, username: "other", password });
  });

  it("may be functions, which are asked each time", async () => {
    let asked = 0;
    const next = (): Promise<string> => Promise.resolve(`answer ${++asked}`);
    expect([await currentOf(next), await currentOf(next), await currentOf("fixed")]).toEqual([
      "answer 1",
      "answer 2",
      "fixed",
    ]);
    expect(await currentOf<string>(undefined)).toBeUndefined();
  });
});
