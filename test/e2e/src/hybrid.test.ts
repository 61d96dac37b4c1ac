import {
  builtModule,
  inPrivateNetwork,
  provideConsul,
  provideEnvoy,
  provideJava,
  provideKube,
} from "@signalbox/test-servers";
import { expect, it } from "vitest";
import type { HybridResult } from "./hybrid.scenario.ts";

// Of pods in Kubernetes, of Spring applications and of services in Consul.
const addresses = [1, 2, 3].flatMap((kind) => [1, 2, 3].map((number) => `10.244.${kind}.${number}`));

it("calls reach Eureka, Consul and Kubernetes by name, and go on while each of them dies and comes back", async () => {
  // Nothing can be downloaded in there.
  await provideConsul();
  await provideJava("eureka-server");
  await provideJava("spring-provider");
  await provideKube();
  await provideEnvoy();
  const script = builtModule("./hybrid.scenario.ts", import.meta.url);
  const output = await inPrivateNetwork({ script, addresses, timeoutMs: 540_000 });
  const { failed, nacks, requests, seen } = JSON.parse(output) as HybridResult;
  expect(seen).toEqual([
    "all three by name",
    "a pod is added",
    "Consul killed",
    "Eureka killed",
    "Kubernetes killed",
    "all are back",
    "a change in Consul",
    "a change in Eureka",
    "a change in Kubernetes",
  ]);
  expect(failed).toEqual([]);
  expect(nacks).toBe(0);
  expect(requests).toBeGreaterThan(1000);
}, 600_000);
