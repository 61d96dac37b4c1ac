import { expect, it } from "vitest";
import { CompiledService } from "../compiled-service.ts";
import { meshSettings } from "../mesh.ts";
import { entryOf, type ServiceSketch } from "../testing/catalog.ts";
import { targetPorts } from "./target-ports.ts";

const ports = [
  { number: 80, protocol: "HTTP" as const, name: "http" },
  { number: 443, protocol: "HTTPS" as const, name: "https" },
];

/** A service in front of the router at 10.0.0.1, which serves its first port at 8080. */
function front(sketch: Partial<ServiceSketch> = {}): CompiledService {
  const instances = [{ address: "10.0.0.1:8080" }];
  return new CompiledService(entryOf({ hostname: "edge.test", ports, instances, ...sketch }), meshSettings({}));
}

it.each<[string, readonly CompiledService[], readonly (readonly [number, number])[]]>([
  ["of its service", [front()], [[80, 8080]]],
  ["nowhere else where the service leads to others", [front({ instances: [{ address: "10.0.0.2:8080" }] })], []],
  [
    "nowhere else where the service says so",
    [front({ labels: { "experimental.istio.io/disable-gateway-port-translation": "" } })],
    [],
  ],
  [
    "of the first service that has the port",
    [front(), front({ instances: [{ address: "10.0.0.1:9080" }, { address: "10.0.0.1:9443", servicePort: "https" }] })],
    [
      [80, 8080],
      [443, 9443],
    ],
  ],
])("a router listens at the target ports %s", (_case, services, expected) => {
  expect([...targetPorts(services, ["10.0.0.1"])]).toEqual(expected);
});
