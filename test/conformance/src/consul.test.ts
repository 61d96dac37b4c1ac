import { consulModule } from "@signalbox/adapter-consul";
import { describeRegistry } from "@signalbox/registry/conformance";
import { afterAll, beforeAll } from "vitest";
import { AclConsul, ConsulWorld } from "./consul-world.ts";

let consul: AclConsul | undefined;

beforeAll(async () => {
  consul = await AclConsul.start();
});

afterAll(async () => {
  await consul?.server.stop();
});

function started(): AclConsul {
  if (consul === undefined) throw new TypeError("no Consul was started");
  return consul;
}

describeRegistry({
  name: "consul, a real agent",
  world: () => ConsulWorld.open(started()),
  create: (world, deps) =>
    consulModule.create(consulModule.parseConfig({ url: world.url, token: world.secret, waitSeconds: 1 }), deps),
  supports: {
    deltas: true,
    workloads: false,
    objects: false,
    truncation: false,
    secrets: true,
    emptyServices: false,
    backoff: true,
    problems: ["UNREACHABLE", "AUTH_FAILED"],
    malformed: ["port", "address"],
    labelKeys: ["__proto__", "constructor", "toString"],
  },
  deadlineMs: 20_000,
  quietMs: 60,
});
