import { byCodeUnit, canonicalJson, instanceKey } from "@signalbox/model";
import type { Labels, Port, RegistryId, Service, ServiceInstance } from "@signalbox/model";
import type { Candidate, CandidateRecord } from "../candidate.ts";
import type { Conflict } from "../explanation.ts";
import type { Gathered } from "./gather.ts";

/** One endpoint of the entry with all candidates that it is made of. */
export interface Spoken {
  readonly speaker: Candidate;
  readonly all: readonly Candidate[];
}

/**
 * Where registries say different things about the service, its ports or its endpoints. A registry that says nothing contradicts nobody:
 * no labels, no locality, health that is not known. Labels conflict key by key. Under `authoritative` the others are compared too.
 */
export function conflictsOf(
  records: readonly CandidateRecord[],
  gathered: Gathered,
  endpoints: readonly Spoken[],
): readonly Conflict[] {
  const conflicts = [
    ...serviceConflicts(records, gathered),
    ...portConflicts(records, gathered),
    ...endpoints.flatMap(endpointConflicts),
  ];
  // The sort keeps the order of precedence within a field.
  return conflicts.sort((a, b) => byCodeUnit(a.field, b.field));
}

function serviceConflicts(records: readonly CandidateRecord[], { contributing }: Gathered): readonly Conflict[] {
  const kept = contributing[0];
  if (kept === undefined) return [];
  return records.flatMap((dropped) =>
    dropped === kept ? [] : differences("", kept, serviceFacts(kept.service), dropped, serviceFacts(dropped.service)),
  );
}

function portConflicts(records: readonly CandidateRecord[], { contributing, ports, portNames }: Gathered) {
  const conflicts: Conflict[] = [];
  for (const port of ports) {
    const kept = contributing.find(({ service }) => service.ports.includes(port));
    if (kept === undefined) continue;
    for (const dropped of records) {
      if (dropped === kept) continue;
      for (const other of dropped.service.ports) {
        if (other.name !== port.name && other.number !== port.number) continue;
        const known = portNames.get(dropped)?.get(other.name);
        const prefix = `ports[${port.name}].`;
        if (known !== port.name && other.number === port.number)
          conflicts.push(...differences(prefix, kept, { name: port.name }, dropped, { name: other.name }));
        // Of two different numbers it says nothing that one listens elsewhere.
        const facts = ({ number, protocol, targetPort = number }: Port): Facts =>
          port.number === other.number ? { protocol, targetPort } : { number, protocol };
        conflicts.push(...differences(prefix, kept, facts(port), dropped, facts(other)));
      }
    }
  }
  return conflicts;
}

function endpointConflicts({ all, speaker }: Spoken): readonly Conflict[] {
  if (all.length < 2) return [];
  const prefix = `${instanceKey(speaker.instance.addresses[0])} `;
  const facts = instanceFacts(speaker.instance);
  return all.flatMap((other) =>
    other === speaker ? [] : differences(prefix, speaker, facts, other, instanceFacts(other.instance)),
  );
}

/** What is said, by field; undefined where nothing is. */
type Facts = Readonly<Record<string, unknown>>;

function serviceFacts(service: Service): Facts {
  return {
    resolution: service.resolution,
    meshExternal: service.meshExternal,
    addresses: said([...service.addresses].sort(byCodeUnit)),
    exportTo: said([...service.exportTo].sort(byCodeUnit)),
    workloadSelector: service.workloadSelector,
    ...labelFacts(service.labels),
  };
}

function instanceFacts(instance: ServiceInstance): Facts {
  const { region, subzone, zone } = instance.locality;
  return {
    additionalAddresses: said(instance.addresses.slice(1).map(instanceKey)),
    locality: region === "" && zone === "" && subzone === "" ? undefined : instance.locality,
    network: instance.network === "" ? undefined : instance.network,
    serviceAccount: instance.serviceAccount === "" ? undefined : instance.serviceAccount,
    tls: instance.tls,
    healthStatus: instance.healthStatus === "UNKNOWN" ? undefined : instance.healthStatus,
    weight: instance.weight,
    ...labelFacts(instance.labels),
  };
}

function labelFacts(labels: Labels): Facts {
  return Object.fromEntries(Object.entries(labels).map(([key, value]) => [`labels[${key}]`, value]));
}

function said(list: readonly string[]): readonly string[] | undefined {
  return list.length === 0 ? undefined : list;
}

function differences(
  prefix: string,
  kept: { readonly registry: RegistryId },
  keptFacts: Facts,
  dropped: { readonly registry: RegistryId },
  droppedFacts: Facts,
): readonly Conflict[] {
  return Object.entries(keptFacts).flatMap(([field, value]): Conflict[] => {
    const other = droppedFacts[field];
    if (value === undefined || other === undefined || canonicalJson(value) === canonicalJson(other)) return [];
    return [
      {
        field: `${prefix}${field}`,
        kept: { registry: kept.registry, value },
        dropped: { registry: dropped.registry, value: other },
      },
    ];
  });
}
