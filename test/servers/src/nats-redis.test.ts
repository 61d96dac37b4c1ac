import { connect } from "node:net";
import { describe, expect, it } from "vitest";
import { apiRequest } from "./api-request.ts";
import { startNats } from "./nats.ts";
import { startRedis } from "./redis.ts";

/** One request to JetStream over a connection of its own, in NATS's text protocol. */
async function jetStreamCall(url: string, call: string, body: object): Promise<string> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), timeout: 10_000 });
  const payload = JSON.stringify(body);
  socket.write(
    `CONNECT {"verbose":false}\r\nSUB answer 1\r\nPUB $JS.API.${call} answer ${payload.length}\r\n${payload}\r\n`,
  );
  let text = "";
  try {
    for await (const chunk of socket as AsyncIterable<Buffer>) {
      text += chunk.toString();
      if (/MSG answer[^]*\}\r\n/.test(text)) break;
    }
  } finally {
    socket.destroy();
  }
  return text;
}

describe("NATS", () => {
  it("keeps its streams over a crash, on the same ports, and loses them with its disk", async () => {
    const nats = await startNats({ own: true });
    const jetStream = async () => (await apiRequest(`${nats.monitorUrl ?? ""}/jsz`)).json();
    try {
      expect(
        await jetStreamCall(nats.url, "STREAM.CREATE.changes", { name: "changes", subjects: ["changes"] }),
      ).toContain('"did_create":true');
      await nats.kill();
      await expect(jetStream()).rejects.toMatchObject({ code: "ECONNREFUSED" });
      await nats.restart();
      expect(await jetStream()).toMatchObject({ streams: 1 });
      await nats.restartEmpty();
      expect(await jetStream()).toMatchObject({ streams: 0 });
    } finally {
      await nats.stop();
    }
  });
});

describe("Redis", () => {
  it("keeps every write over a crash, answers after it was frozen, and loses all with its disk", async () => {
    const redis = await startRedis({ own: true });
    try {
      expect(await redis.command("SET", "epoch", "7")).toBe("+OK");
      await redis.kill();
      await expect(redis.command("PING")).rejects.toMatchObject({ code: "ECONNREFUSED" });
      await redis.restart();
      redis.freeze();
      const waiting = redis.command("GET", "epoch");
      redis.thaw();
      expect(await waiting).toBe("$1\r\n7");
      await redis.restartEmpty();
      expect(await redis.command("GET", "epoch")).toBe("$-1");
    } finally {
      await redis.stop();
    }
  });
});
