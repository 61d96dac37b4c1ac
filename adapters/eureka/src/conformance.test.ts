import { describeRegistry } from "@signalbox/registry/conformance";
import { eurekaModule } from "./index.ts";
import { FakeWorld } from "./testing/fake-world.ts";

describeRegistry<FakeWorld>({
  name: "eureka, against a fake server",
  world: () => FakeWorld.open(),
  create: ({ eureka, secret }, deps) => {
    const config = { urls: eureka.url, auth: { username: "reader", password: secret } };
    return eurekaModule.create(eurekaModule.parseConfig(config), deps);
  },
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
  deadlineMs: 10_000,
});
