import { kubernetesModule } from "@signalbox/adapter-kubernetes";
import { describeRegistry } from "@signalbox/registry/conformance";
import { startKube, type RunningKube } from "@signalbox/test-servers";
import { afterAll, beforeAll } from "vitest";
import { KubernetesWorld, reader } from "./kubernetes-world.ts";

let kube: RunningKube;

beforeAll(async () => {
  kube = await startKube({ own: true, users: [reader] });
  await kube.grant(reader.name, [{ apiGroups: [""], resources: ["nodes"], verbs: ["list", "watch"] }]);
});

afterAll(() => kube.stop());

describeRegistry({
  name: "kubernetes (real API server)",
  world: () => KubernetesWorld.open(kube),
  create: (world, deps) =>
    kubernetesModule.create(
      kubernetesModule.parseConfig({
        url: world.road.url,
        tls: { ca: { file: kube.caFile } },
        token: reader.token,
        cluster: "contract",
        namespaces: { include: [world.namespace] },
      }),
      deps,
    ),
  supports: {
    deltas: true,
    workloads: true,
    objects: false,
    truncation: true,
    secrets: true,
    emptyServices: true,
    backoff: true,
    problems: ["UNREACHABLE", "AUTH_FAILED"],
    malformed: [],
    labelKeys: ["constructor", "toString"],
  },
  deadlineMs: 40_000,
  quietMs: 150,
});
