import type { ConfigObject } from "@signalbox/model";
import type { ObjectFault } from "./fault.ts";
import { checkServiceEntry } from "./service-entry.ts";
import { checkWorkloadEntry } from "./workload-entry.ts";

/** Checks `spec` of an object whose kind is known here: ServiceEntry and WorkloadEntry. Other kinds have no faults. */
export function checkObject(object: ConfigObject): readonly ObjectFault[] {
  switch (object.kind) {
    case "ServiceEntry":
      return checkServiceEntry(object).faults;
    case "WorkloadEntry":
      return checkWorkloadEntry(object).faults;
    default:
      return [];
  }
}
