import { describe, expect, it } from "vitest";
import { sourceIn, tlsIn } from "./configured.ts";

describe("options from a configuration", () => {
  it("look for files in the folder of the configuration, and leave absolute paths and other sources alone", () => {
    expect(sourceIn({ file: "token" }, "/etc/signalbox")).toEqual({ file: "/etc/signalbox/token" });
    expect(sourceIn({ file: "/run/token" }, "/etc/signalbox")).toEqual({ file: "/run/token" });
    expect(sourceIn({ value: "token" }, "/etc/signalbox")).toEqual({ value: "token" });
  });

  it("have only the parts of TLS that are configured", () => {
    const configured = { ca: { file: "ca.pem" }, cert: undefined, key: { pem: "KEY" }, serverName: undefined };
    expect(tlsIn({ ...configured, insecureSkipVerify: undefined }, "/etc")).toStrictEqual({
      ca: { file: "/etc/ca.pem" },
      key: { pem: "KEY" },
      insecureSkipVerify: false,
    });
    expect(tlsIn({ ...configured, insecureSkipVerify: true, serverName: "a" }, "/etc")).toMatchObject({
      insecureSkipVerify: true,
      serverName: "a",
    });
  });
});
