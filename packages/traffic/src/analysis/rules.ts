import {
  FaultList,
  readDestinationRule,
  readGateway,
  readSidecar,
  readVirtualService,
  type DestinationRule,
  type Gateway,
  type Read,
  type Sidecar,
  type VirtualService,
} from "@signalbox/istio-objects";
import { objectKey, type ConfigObject } from "@signalbox/model";
import { byAge } from "../age.ts";
import type { Rule } from "../rule.ts";

/** The objects that are analyzed, read, the oldest first. */
export interface AnalyzedRules {
  readonly virtualServices: readonly Rule<VirtualService>[];
  readonly destinationRules: readonly Rule<DestinationRule>[];
  readonly gateways: readonly Rule<Gateway>[];
  readonly sidecars: readonly Rule<Sidecar>[];
}

/** Reads the objects; those with faults of form are left out. */
export function readRules(objects: Iterable<ConfigObject>): AnalyzedRules {
  const sorted = [...objects].sort(byAge);
  const of = <Spec>(kind: string, read: Read<Spec>): readonly Rule<Spec>[] =>
    sorted.flatMap((object) => {
      if (object.kind !== kind) return [];
      const faults = new FaultList();
      const spec = read(object.spec, ["spec"], faults);
      return faults.faults.length > 0 ? [] : [{ key: objectKey(object), object, spec }];
    });
  return {
    virtualServices: of("VirtualService", readVirtualService),
    destinationRules: of("DestinationRule", readDestinationRule),
    gateways: of("Gateway", readGateway),
    sidecars: of("Sidecar", readSidecar),
  };
}
