import type { FaultList, ObjectPath } from "../fault.ts";
import { labelFault, portFault, wildcardHostFault } from "../names.ts";
import type { Destination } from "../schema/common.ts";
import type { HeadersPolicy } from "../schema/virtual-service.ts";
import { checkHeaders } from "./headers.ts";

/** One target of a rule with its share. Only HTTP rules have headers. */
export interface WeightedTarget {
  readonly destination: Destination | undefined;
  readonly weight: number;
  readonly headers?: HeadersPolicy | undefined;
}

/** Checks the targets of a rule and their shares. With `anyHost` (objects made of Gateway API routes) the destinations are not checked. */
export function checkTargets(
  targets: readonly WeightedTarget[],
  path: ObjectPath,
  faults: FaultList,
  { anyHost = false }: { readonly anyHost?: boolean } = {},
): void {
  let total = 0;
  for (const [index, { destination, headers, weight }] of targets.entries()) {
    const at = [...path, index];
    if (destination === undefined) faults.error([...at, "destination"], "is required");
    else if (!anyHost) checkDestination(destination, [...at, "destination"], faults);
    checkHeaders(headers, [...at, "headers"], faults);
    if (weight < 0) faults.error([...at, "weight"], "must not be negative");
    total += weight;
  }
  if (targets.length > 1 && total === 0) faults.error(path, "the weights must not all be 0");
}

/** Checks a destination: a host that is not `*`, the name of a subset, a port. */
export function checkDestination({ host, port, subset }: Destination, path: ObjectPath, faults: FaultList): void {
  const hostProblem = host === "*" ? "must be one host, not *" : wildcardHostFault(host);
  if (hostProblem !== undefined) faults.error([...path, "host"], hostProblem);
  const subsetProblem = subset === "" ? undefined : labelFault(subset);
  if (subsetProblem !== undefined) faults.error([...path, "subset"], subsetProblem);
  const portProblem = port === undefined ? undefined : portFault(port.number);
  if (portProblem !== undefined) faults.error([...path, "port", "number"], portProblem);
}
