import type { CompiledService } from "../compiled-service.ts";
import type { TargetPorts } from "./merge.ts";

/** A service with this label is not read as the one in front of a router. */
const optOut = "experimental.istio.io/disable-gateway-port-translation";

/**
 * Where a router with these addresses listens for the ports that Gateways name: a port of a service that leads to the router stands for the
 * port at which it does. Of several services the first in `services` decides, as in Istio.
 */
export function targetPorts(services: readonly CompiledService[], addresses: readonly string[]): TargetPorts {
  const ports = new Map<number, number>();
  for (const { entry } of services) {
    if (Object.hasOwn(entry.service.labels, optOut)) continue;
    for (const instance of entry.instances) {
      const port = entry.service.ports.find(({ name }) => name === instance.servicePort);
      const own = instance.addresses.find((address) => address.type === "ip" && addresses.includes(address.ip));
      if (port === undefined || own?.type !== "ip" || ports.has(port.number)) continue;
      ports.set(port.number, own.port);
    }
  }
  return new Map([...ports].sort(([a], [b]) => a - b));
}
