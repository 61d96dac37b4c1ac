import type { Labels, Protocol, ServiceRecord } from "@signalbox/model";
import type { ConsulScope } from "../client.ts";
import type { ConsulConfig } from "../config.ts";
import { defaultProtocol, hostnameEnd, namespaceOf } from "../convert.ts";
import { declaredProtocol, type ConsulEndpoint } from "./entry.ts";
import { parseMarks, type Mark } from "./mark.ts";

/** What an earlier run knew of one service in one scope. */
export interface FormerService {
  /** What it was found in. */
  readonly record: ServiceRecord;
  /** As Consul writes it. */
  readonly name: string;
  /** Sorted by id; at least one. */
  readonly endpoints: readonly ConsulEndpoint[];
  /** The answers that it was made of; several where there were several datacenters. */
  readonly marks: readonly Mark[];
}

const object = /^Service (?<name>.+)$/s;

/**
 * The way back: what an earlier run read in this scope, by service in lower case. Pure. Assembled again it gives the same endpoints.
 * Records that this configuration would put elsewhere are left out: under another domain or namespace they are other services.
 */
export function formerServices(
  records: readonly ServiceRecord[],
  scope: ConsulScope,
  config: ConsulConfig,
): ReadonlyMap<string, FormerService> {
  const services = new Map<string, FormerService>();
  const end = hostnameEnd(scope, config);
  for (const record of records) {
    const { hostname, namespace, provenance } = record.service;
    const { name } = object.exec(provenance.object)?.groups ?? {};
    if (name === undefined || !hostname.endsWith(end) || namespace !== namespaceOf(scope, config)) continue;
    const { datacenter } = scope;
    const own = ({ id }: { readonly id: string }) => datacenter === undefined || id.startsWith(`${datacenter}/`);
    const endpoints = endpointsOf(record, config).filter(own);
    if (endpoints.length === 0) continue;
    services.set(name.toLowerCase(), { record, name, endpoints, marks: parseMarks(provenance.sourceVersion) });
  }
  return services;
}

function endpointsOf({ service, instances }: ServiceRecord, config: ConsulConfig): readonly ConsulEndpoint[] {
  const ports = new Map(service.ports.map((port) => [port.name, port]));
  return instances.flatMap(({ servicePort, ...instance }): ConsulEndpoint[] => {
    const [address] = instance.addresses;
    const port = ports.get(servicePort);
    if (port === undefined || address.type === "unix") return [];
    // Further ports of an instance have their key behind its id.
    const main = instance.id === instance.provenance.object;
    // What is no more than the default is nobody's word, and contradicts nobody who has one.
    const isWord = port.protocol !== "UNSUPPORTED" && port.protocol !== defaultProtocol(port.number, config);
    const named = isWord && !main ? port.protocol : undefined;
    return [
      {
        ...instance,
        port: address.port,
        main,
        protocol: declaredBy(instance.labels, { number: address.port, main, config }) ?? named,
        external: service.meshExternal,
      },
    ];
  });
}

/** What the labels say of the protocol of one port; a label that names the port itself is nearer than one for the instance. */
function declaredBy(
  labels: Labels,
  { number, main, config }: { readonly number: number; readonly main: boolean; readonly config: ConsulConfig },
): Protocol | undefined {
  const keyed = [...config.portKeys].findLast(([key]) => Object.hasOwn(labels, key) && Number(labels[key]) === number);
  return keyed?.[1] ?? (main ? declaredProtocol(labels, config) : undefined);
}
