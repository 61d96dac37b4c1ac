import { byCodeUnit, type Port, type Protocol } from "@signalbox/model";
import type { EurekaConfig } from "../config.ts";
import { faultOf, type EurekaEndpoint, type EurekaFault } from "./endpoint.ts";

/** An endpoint and the number of the service port that it serves. */
export interface Placed extends EurekaEndpoint {
  readonly servicePort: number;
}

/** The ports of a service by number, and the endpoints that serve them. */
export interface ServicePorts {
  readonly ports: ReadonlyMap<number, Port>;
  readonly endpoints: readonly Placed[];
}

type Report = (fault: EurekaFault) => void;

/**
 * The union of the ports, by number. Each protocol is the one that metadata names; where it names two, neither is believed. Proxies do
 * not begin TLS for callers, so a port whose endpoints expect it is one where callers speak it, and all its endpoints must agree:
 * where they do not, the smaller group is left out, the one that expects TLS if they are equal.
 */
export function portsOf(
  name: string,
  endpoints: readonly Placed[],
  config: EurekaConfig,
  report: Report,
): ServicePorts {
  const numbers = [...new Set(endpoints.map(({ servicePort }) => servicePort))].sort((a, b) => a - b);
  const ports = new Map<number, Port>();
  const left = new Set<Placed>();
  for (const number of numbers) {
    const here = endpoints.filter(({ servicePort }) => servicePort === number);
    const [plain, secure] = [here.filter((one) => !one.secure), here.filter((one) => one.secure)];
    const spoken = plain.length === 0 ? config.secureProtocol : protocolOf({ name, number, plain }, config, report);
    const mixed = plain.length > 0 && secure.length > 0 && spoken !== "HTTPS" && spoken !== "TLS";
    const inPlain = plain.length >= secure.length;
    for (const one of mixed ? (inPlain ? secure : plain) : []) {
      const how = inPlain ? "expects TLS, and most others do not" : "does not expect TLS, and most others do";
      report(faultOf(one.instance, "port", `${one.role} is left out of port ${number}: it ${how}`));
      left.add(one);
    }
    const protocol = mixed && !inPlain ? config.secureProtocol : spoken;
    const prefix = protocol === "UNSUPPORTED" ? "port" : protocol.toLowerCase();
    ports.set(number, { name: `${prefix}-${number}`, number, protocol });
  }
  return { ports, endpoints: endpoints.filter((one) => !left.has(one)) };
}

/** What endpoints without TLS of their own speak on one port. */
function protocolOf(
  port: { readonly name: string; readonly number: number; readonly plain: readonly Placed[] },
  config: EurekaConfig,
  report: Report,
): Protocol {
  const { name, number, plain } = port;
  const explicit = new Set(plain.filter((one) => one.explicit).map(({ protocol }) => protocol));
  const [only] = explicit;
  if (explicit.size > 1) {
    const names = [...explicit].sort(byCodeUnit).join(", ");
    const message = `port ${number} is said to be ${names}; it is detected from the traffic`;
    report({ app: name, instance: "", what: "protocol", message });
    return "UNSUPPORTED";
  }
  return only ?? config.protocol;
}
