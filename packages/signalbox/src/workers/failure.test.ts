import { expect, it } from "vitest";
import { parseConfig } from "../config/check.ts";
import { listenFailure, ListenError } from "../listen-error.ts";
import { errorOf, failureOf } from "./failure.ts";

it("keeps of an error what says which key of the configuration it is about, through the clone that goes between processes", () => {
  const system = Object.assign(new Error("bind EADDRINUSE 127.0.0.1:15010"), {
    code: "EADDRINUSE",
    syscall: "bind",
    port: 15010,
  });
  const error = Object.assign(new Error("cannot listen", { cause: system }), { code: "SBX_XDS_LISTEN" });
  const arrived = errorOf(structuredClone(failureOf(error)));
  expect(arrived).toMatchObject({ message: "cannot listen", code: "SBX_XDS_LISTEN" });
  const listen = listenFailure(arrived, "xds", parseConfig({}));
  expect(listen).toBeInstanceOf(ListenError);
  expect((listen as ListenError).key).toBe("xds.plaintext.port");
  expect((listen as ListenError).message).toContain("does another Signalbox run here?");
});

it("adds nothing that the error does not say", () => {
  expect(failureOf(new Error("no"))).toEqual({ message: "no" });
  expect(errorOf({ message: "no" }).cause).toBeUndefined();
});
