import { expect, it } from "vitest";
import { HttpRegistry, HttpWorld, pollingHttp } from "../testing/http-world.ts";
import { describeRegistry, registryContract } from "./index.ts";
import type { RegistryUnderTest } from "./index.ts";

const subject: RegistryUnderTest<HttpWorld> = {
  name: "polling a real HTTP server",
  world: () => HttpWorld.open(),
  create: (world, deps) => new HttpRegistry(world.url, deps),
  supports: pollingHttp,
};

describeRegistry(subject);

it("finds by point 13 a registry that leaves pooled sockets open", async () => {
  const point = registryContract.find(({ number }) => number === 13);
  const pooled: RegistryUnderTest<HttpWorld> = {
    ...subject,
    create: (world, deps) => new HttpRegistry(world.url, deps, { pooled: true }),
    deadlineMs: 500,
  };
  await expect(point?.run(pooled)).rejects.toThrow("connections of the source: 1, before 0");
});
