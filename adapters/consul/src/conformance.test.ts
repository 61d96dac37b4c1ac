import { describeRegistry } from "@signalbox/registry/conformance";
import { consulModule } from "./index.ts";
import { ConsulWorld } from "./testing/consul-world.ts";

describeRegistry({
  name: "consul, a fake agent",
  world: () => ConsulWorld.open(),
  create: (world, deps) =>
    consulModule.create(consulModule.parseConfig({ url: world.fake.url, token: world.secret, waitSeconds: 60 }), deps),
  supports: {
    deltas: true,
    workloads: false,
    objects: false,
    truncation: true,
    secrets: true,
    emptyServices: false,
    backoff: true,
    problems: ["UNREACHABLE", "AUTH_FAILED", "PROTOCOL_ERROR"],
    malformed: ["object", "port", "weight", "address"],
    labelKeys: ["__proto__", "constructor", "toString"],
  },
});
