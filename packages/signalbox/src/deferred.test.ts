import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { Deferred } from "./deferred.ts";

describe("waiting for what somebody else settles", () => {
  it("leaves nothing at the signal, however often it is waited for", async () => {
    const deferred = new Deferred<string>();
    const { signal } = new AbortController();
    const first = deferred.wait(signal);
    expect(getEventListeners(signal, "abort")).toHaveLength(1);
    deferred.resolve("done");
    expect(await first).toBe("done");
    for (let again = 0; again < 20; again++) expect(await deferred.wait(signal)).toBe("done");
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  it("ends with the signal's reason when that aborts first, also before", async () => {
    const end = new AbortController();
    const waiting = new Deferred<string>().wait(end.signal);
    end.abort(new Error("over"));
    await expect(waiting).rejects.toThrow("over");
    await expect(new Deferred<string>().wait(end.signal)).rejects.toThrow("over");
    expect(getEventListeners(end.signal, "abort")).toEqual([]);
  });

  it("fails as it was failed, and is no fault where nobody waits", async () => {
    const deferred = new Deferred<string>();
    deferred.reject(new Error("taken"));
    await expect(deferred.wait(new AbortController().signal)).rejects.toThrow("taken");
  });
});
