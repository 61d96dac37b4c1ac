import { byCodeUnit, entryVersions, instanceKey } from "@signalbox/model";
import type {
  CatalogEntry,
  CatalogInstance,
  Port,
  Provenance,
  RegistryId,
  Service,
  ServiceInstance,
  ServiceKey,
  ServiceRecord,
} from "@signalbox/model";

/**
 * Makes one catalog entry of what the registries say about a service; `undefined` leaves the service out. Pure. `records`
 * comes sorted by registry precedence, so the entry does not depend on who spoke first. `expired` are the registries whose
 * content is too old to be trusted where another one knows better; that endpoints which only they know come last is not the
 * policy's affair.
 */
export type MergePolicy = (
  key: ServiceKey,
  records: readonly ServiceRecord[],
  expired?: ReadonlySet<RegistryId>,
) => CatalogEntry | undefined;

/**
 * The union of all registries: every port and every endpoint that any of them knows. The service's other attributes are
 * those of the registry with the highest precedence, except `serviceAccounts`, which is the union, because the endpoints
 * of all of them must be able to prove who they are. Two endpoints of one port with the same primary address are one: it
 * has all attributes from the first registry that knows it and is not expired, or else the first one, and the provenance
 * of all.
 *
 * Ports are the same where their names are equal. A port with another name but a number that is already there is that
 * port under another name, unless the registry uses that name for another number: then the numbers contradict each
 * other, the higher precedence wins, and the port with its endpoints is left out.
 */
export const unionMerge: MergePolicy = (key, records, expired = new Set()) => {
  const first = records[0];
  if (first === undefined) return undefined;
  const ports: Port[] = [];
  const found = new Map<string, Found>();
  for (const record of records) {
    const names = mergePorts(ports, record.service.ports);
    for (const instance of sortedInstances(record)) {
      const servicePort = names.get(instance.servicePort);
      if (servicePort !== undefined) gather(found, servicePort, instance, expired);
    }
  }
  const service: Service = {
    ...first.service,
    ports,
    serviceAccounts:
      records.length === 1
        ? first.service.serviceAccounts
        : [...new Set(records.flatMap((record) => record.service.serviceAccounts))].sort(byCodeUnit),
  };
  const instances = [...found].sort(([a], [b]) => byCodeUnit(a, b)).map(([, one]) => toCatalogInstance(one));
  return {
    key,
    service,
    instances,
    registries: registriesOf(records, instances),
    versions: entryVersions(service, instances),
  };
};

interface Found {
  readonly servicePort: string;
  instance: ServiceInstance;
  readonly provenance: [Provenance, ...Provenance[]];
}

/** Adds ports to the merged ones; answers under which name each of them is there. */
function mergePorts(merged: Port[], added: readonly Port[]): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  const own = new Set(added.map((port) => port.name));
  const before = [...merged];
  for (const port of added) {
    if (names.has(port.name)) continue;
    const sameNumber = before.find((other) => other.number === port.number);
    if (before.some((other) => other.name === port.name)) {
      names.set(port.name, port.name);
    } else if (sameNumber === undefined) {
      merged.push(port);
      names.set(port.name, port.name);
    } else if (!own.has(sameNumber.name)) {
      names.set(port.name, sameNumber.name);
    }
  }
  return names;
}

// By id, so that the order within a registry does not decide which of two equal addresses counts.
function sortedInstances(record: ServiceRecord): readonly ServiceInstance[] {
  return [...record.instances].sort((a, b) => byCodeUnit(a.id, b.id));
}

function gather(
  found: Map<string, Found>,
  servicePort: string,
  instance: ServiceInstance,
  expired: ReadonlySet<RegistryId>,
): void {
  const identity = `${servicePort}\0${instanceKey(instance.addresses[0])}`;
  const known = found.get(identity);
  if (known === undefined) {
    found.set(identity, { servicePort, instance, provenance: [instance.provenance] });
  } else if (!known.provenance.some((other) => sameSource(other, instance.provenance))) {
    known.provenance.push(instance.provenance);
    const isOld = ({ provenance }: ServiceInstance) => expired.has(provenance.registry);
    if (isOld(known.instance) && !isOld(instance)) known.instance = instance;
  }
}

function sameSource(a: Provenance, b: Provenance): boolean {
  return a.registry === b.registry && a.object === b.object;
}

const noFindings: CatalogInstance["findings"] = Object.freeze([]);

// Member by member: a copy by a spread that goes on is slow to make and takes twice the memory, for each endpoint of the catalog.
function toCatalogInstance({ servicePort, instance, provenance }: Found): CatalogInstance {
  const { registeredAt } = instance;
  return {
    id: instance.id,
    servicePort,
    addresses: instance.addresses,
    labels: instance.labels,
    locality: instance.locality,
    network: instance.network,
    serviceAccount: instance.serviceAccount,
    tls: instance.tls,
    healthStatus: instance.healthStatus,
    weight: instance.weight,
    provenance,
    priority: 0,
    findings: noFindings,
    ...(registeredAt !== undefined && { registeredAt }),
  };
}

function registriesOf(records: readonly ServiceRecord[], instances: readonly CatalogInstance[]): readonly RegistryId[] {
  const registries = new Set(records.map((record) => record.service.provenance.registry));
  const others = new Set<RegistryId>();
  for (const instance of instances) for (const source of instance.provenance) others.add(source.registry);
  for (const registry of [...others].sort(byCodeUnit)) registries.add(registry);
  return [...registries];
}
