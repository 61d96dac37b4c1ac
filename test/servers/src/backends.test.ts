import { createServer } from "node:net";
import { describe, expect, it, onTestFinished } from "vitest";
import { createEchoClient, startGrpcBackend } from "./grpc-backend.ts";
import { startHttpBackend } from "./http-backend.ts";
import { freePorts } from "./ports.ts";

describe("freePorts", () => {
  it("hands out no port twice, and none that is taken", async () => {
    const [port, ...others] = await freePorts(40);
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
    onTestFinished(() => new Promise<void>((resolve) => void server.close(() => resolve())));
    const more = await freePorts(40);
    expect(new Set([port, ...others, ...more]).size).toBe(80);
  });
});

describe("startHttpBackend", () => {
  it("answers its name and counts", async () => {
    const backend = await startHttpBackend({ name: "blue" });
    onTestFinished(backend.stop);
    const response = await fetch(`http://${backend.address}/x?y=1`, { headers: { "x-test": "1" } });
    expect(await response.text()).toBe("blue");
    expect(response.headers.get("x-backend")).toBe("blue");
    expect(backend.requests()).toBe(1);
    expect(backend.lastRequest()).toMatchObject({ method: "GET", path: "/x?y=1", headers: { "x-test": "1" } });
  });

  it("refuses connections once stopped, and may be stopped twice", async () => {
    const backend = await startHttpBackend({ name: "blue" });
    await backend.stop();
    await backend.stop();
    await expect(fetch(`http://${backend.address}/`)).rejects.toThrow();
  });
});

describe("startGrpcBackend", () => {
  it("answers its name and the request", async () => {
    const backend = await startGrpcBackend({ name: "green" });
    onTestFinished(backend.stop);
    const client = createEchoClient(backend.address);
    onTestFinished(() => client.close());
    expect(await client.say("hello")).toBe("green: hello");
    expect(backend.requests()).toBe(1);
  });

  it("makes calls fail once stopped", async () => {
    const backend = await startGrpcBackend({ name: "green" });
    await backend.stop();
    const client = createEchoClient(backend.address);
    onTestFinished(() => client.close());
    await expect(client.say("hello")).rejects.toMatchObject({ code: 14 });
  });
});
