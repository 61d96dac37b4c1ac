import {
  checkAddresses,
  checkPorts,
  checkServiceAccounts,
  checkTexts,
  checkWildcards,
} from "./authorization-values.ts";
import type { FaultList, ObjectPath } from "./fault.ts";
import type { AuthorizationPolicy } from "./schema/security.ts";

type Condition = AuthorizationPolicy["rules"][number]["when"][number];
type CheckValues = (values: readonly string[], path: ObjectPath, faults: FaultList) => void;

/** Attributes that a condition may name, and what their values are. */
const attributes: ReadonlyMap<string, CheckValues> = new Map<string, CheckValues>([
  ["connection.sni", checkTexts],
  ["destination.ip", checkAddresses],
  ["destination.port", checkPorts],
  ["remote.ip", checkAddresses],
  ["request.auth.audiences", checkTexts],
  ["request.auth.presenter", checkTexts],
  ["request.auth.principal", checkTexts],
  ["source.ip", checkAddresses],
  ["source.namespace", checkTexts],
  ["source.principal", checkTexts],
  ["source.serviceAccount", checkServiceAccounts],
  ["source.trustDomain", checkWildcards],
]);

/** What attributes with a name in brackets begin with. */
const namedAttributes: readonly string[] = ["request.headers", "request.auth.claims", "experimental.envoy.filters."];

/** Checks one condition (`when`) of an AuthorizationPolicy. */
export function checkCondition({ key, values, notValues }: Condition, path: ObjectPath, faults: FaultList): void {
  if (key === "") {
    faults.error([...path, "key"], "is required");
    return;
  }
  if (values.length === 0 && notValues.length === 0) {
    faults.error([...path, "values"], "needs values or notValues");
    return;
  }
  const isNamed = namedAttributes.some((prefix) => key.startsWith(prefix));
  const check = isNamed ? checkTexts : attributes.get(key);
  if (isNamed && !/^[^[].*?\[.+\]$/s.test(key)) faults.error([...path, "key"], `"${key}" is not of the form a[b]`);
  else if (check === undefined) faults.error([...path, "key"], unknownFault(key));
  else {
    check(values, [...path, "values"], faults);
    check(notValues, [...path, "notValues"], faults);
  }
}

function unknownFault(key: string): string {
  if (key === "destination.namespace") return `"${key}" is not needed: a policy is for its own namespace`;
  if (key.startsWith("destination.labels")) return `"${key}" is not needed: a policy has a selector`;
  return `"${key}" is not an attribute of a request`;
}
