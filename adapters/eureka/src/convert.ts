import { byCodeUnit, type Port, type RegistryId, type ServiceInstance, type ServiceRecord } from "@signalbox/model";
import type { EurekaInstance } from "./client/answer.ts";
import type { EurekaConfig } from "./config.ts";
import {
  addressOf,
  endpointsOf,
  faultOf,
  healthOf,
  labelsOf,
  localityOf,
  weightOf,
  type EurekaEndpoint,
  type EurekaFault,
} from "./convert/endpoint.ts";
import { hostnameOf, servicesOf } from "./convert/names.ts";
import { portsOf, type Placed } from "./convert/ports.ts";

/** What the conversion needs to know. */
export interface ConvertContext {
  readonly config: EurekaConfig;
  readonly registry: RegistryId;
}

/** A service as the catalog has it, and what could not be used. */
export interface Converted {
  /** Absent where no instance of the service has a usable port. */
  readonly record?: ServiceRecord;
  readonly faults: readonly EurekaFault[];
}

/**
 * Makes one record of all instances of a service, which `name` names in lower case. Pure; the same instances in any order
 * give the same record. What is wrong with one instance costs that instance at most.
 */
export function convertService(
  name: string,
  instances: readonly EurekaInstance[],
  { config, registry }: ConvertContext,
): Converted {
  const faults: EurekaFault[] = [];
  const report = (fault: EurekaFault): void => {
    // An instance with two ports has its weight only once.
    const { instance, what, message } = fault;
    const known = faults.some((one) => one.instance === instance && one.what === what && one.message === message);
    if (!known) faults.push(fault);
  };
  const sorted = [...instances].sort((a, b) => byCodeUnit(a.app, b.app) || byCodeUnit(a.id, b.id));
  const placed = sorted.flatMap((instance) => {
    const choice = servicesOf(instance, config).get(name) ?? "all";
    const all = endpointsOf(instance, config, report).filter(
      ({ secure }) => choice === "all" || secure === (choice === "secure"),
    );
    if (all.length === 0) report(faultOf(instance, "port", "no port is enabled"));
    return collapse(all, config);
  });
  const { endpoints, ports } = portsOf(name, placed, config, report);
  if (ports.size === 0) return { faults };
  const made = endpoints.flatMap((endpoint) => instanceOf(endpoint, ports, { config, registry }, report) ?? []);
  const hasNames = made.some(({ addresses: [first] }) => first.type === "hostname");
  return {
    faults,
    record: {
      service: {
        hostname: hostnameOf(name, config.domain),
        namespace: config.namespace,
        ports: [...ports.values()],
        // IP addresses are as good as names there, so an instance that has only a name changes nothing for the others.
        resolution: hasNames ? "DNS" : "STATIC",
        addresses: [],
        labels: {},
        meshExternal: false,
        exportTo: [],
        serviceAccounts: [],
        provenance: { registry, object: `${config.serviceBy} ${name}` },
      },
      instances: made,
    },
  };
}

/** With `servicePort`, an instance's own port takes that number: the plain one, or else the secure one. */
function collapse(endpoints: readonly EurekaEndpoint[], { servicePort }: EurekaConfig): readonly Placed[] {
  if (servicePort === undefined) return endpoints.map((endpoint) => ({ ...endpoint, servicePort: endpoint.port }));
  const own = endpoints.filter(({ role }) => role === "port" || role === "securePort");
  const chosen = own.find(({ role }) => role === "port") ?? own[0] ?? endpoints[0];
  return endpoints.flatMap((endpoint): Placed[] => {
    if (endpoint === chosen) return [{ ...endpoint, servicePort }];
    // The other one of the two would stand for another random number.
    return own.includes(endpoint) || endpoint.port === servicePort ? [] : [{ ...endpoint, servicePort: endpoint.port }];
  });
}

function instanceOf(
  endpoint: Placed,
  ports: ReadonlyMap<number, Port>,
  { config, registry }: ConvertContext,
  report: (fault: EurekaFault) => void,
): ServiceInstance | undefined {
  const { instance, role, port, secure, servicePort } = endpoint;
  const address = addressOf(instance, port);
  const healthStatus = healthOf(instance, config);
  if (address === undefined) report(faultOf(instance, "address", "has neither an IP address nor a host name"));
  if (address === undefined || healthStatus === undefined) return undefined;
  if (address.type === "hostname" && config.hostnames === "omit") {
    report(faultOf(instance, "hostname", `${address.hostname} is no IP address`));
    return undefined;
  }
  return {
    id: config.serviceBy === "app" ? `${instance.id}/${role}` : `${instance.app}/${instance.id}/${role}`,
    servicePort: ports.get(servicePort)?.name ?? "",
    addresses: [address],
    labels: labelsOf(instance, config),
    locality: localityOf(instance, config),
    network: "",
    serviceAccount: "",
    tls: secure ? "simple" : "disabled",
    healthStatus,
    weight: weightOf(instance, config, report),
    ...(instance.registeredAt !== undefined && { registeredAt: instance.registeredAt }),
    provenance: { registry, object: `APP ${instance.app}, instance ${instance.id}` },
  };
}
