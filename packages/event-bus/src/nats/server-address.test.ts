import { describe, expect, it } from "vitest";
import { createNatsBus } from "./index.ts";
import { NatsOptionsError } from "./options.ts";
import { addressText, serverAddress } from "./server-address.ts";

describe("the address of a server", () => {
  it.each([
    ["nats://nats.example:4333", "nats.example:4333"],
    ["tls://nats.example:4333", "nats.example:4333"],
    ["nats.example:4333", "nats.example:4333"],
    ["nats.example", "nats.example:4222"],
    ["127.0.0.1:1", "127.0.0.1:1"],
    ["[::1]:4222", "[::1]:4222"],
    ["nats://[2001:db8::1]", "[2001:db8::1]:4222"],
  ])("is read from %s", (text, expected) => {
    expect(addressText(serverAddress(text))).toBe(expected);
  });

  it.each(["", "http://nats.example", "nats://", "nats.example:port", "a b"])(
    "is refused where it is none: %j",
    (text) => {
      expect(() => serverAddress(text)).toThrow(NatsOptionsError);
    },
  );

  it("holds no credentials, and no error shows them", () => {
    expect(() => serverAddress("nats://user:secret@nats.example")).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining("secret") as string }) as Error,
    );
  });

  it("is checked when the bus is made", () => {
    expect(() => createNatsBus({ catalog: "a", servers: ["http://nats.example"] })).toThrow(NatsOptionsError);
  });
});
