import { describe, expect, it } from "vitest";
import { waitFor, WaitTimeoutError } from "./wait-for.ts";

describe("waitFor", () => {
  it("returns the first answer that is neither undefined nor false", async () => {
    const answers = [undefined, false, 0, 7] as const;
    let asked = 0;
    const answer = await waitFor(() => answers[asked++], { what: "a number", intervalMs: 1 });
    expect(answer).toBe(0);
    expect(asked).toBe(3);
  });

  it("takes an error for not yet, and gives the last one as the cause", async () => {
    const wait = waitFor(() => Promise.reject(new Error("connection refused")), {
      what: "a server",
      deadlineMs: 30,
      intervalMs: 1,
    });
    await expect(wait).rejects.toMatchObject({
      code: "SBX_WAIT_TIMEOUT",
      what: "a server",
      cause: new Error("connection refused"),
    });
  });

  it("gives up on a question that never settles", async () => {
    const wait = waitFor(() => new Promise<true>(() => {}), { what: "nothing", deadlineMs: 20 });
    await expect(wait).rejects.toBeInstanceOf(WaitTimeoutError);
  });

  it("rejects with the reason of the signal, also when it was aborted before", async () => {
    const reason = new Error("the test is over");
    const aborted = AbortSignal.abort(reason);
    await expect(waitFor(() => undefined, { what: "nothing", signal: aborted })).rejects.toBe(reason);
    const later = new AbortController();
    const wait = waitFor(
      () => {
        later.abort(reason);
        return undefined;
      },
      { what: "nothing", signal: later.signal },
    );
    await expect(wait).rejects.toBe(reason);
  });
});
