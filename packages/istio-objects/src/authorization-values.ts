import { isIP } from "node:net";
import type { FaultList, ObjectPath } from "./fault.ts";
import { subnetFault } from "./names.ts";

const mostAccounts = 16;
const longestAccount = 320;

/** Checks that no value is empty. */
export function checkTexts(values: readonly string[], path: ObjectPath, faults: FaultList): void {
  for (const [index, value] of values.entries()) {
    if (value === "") faults.error([...path, index], "must not be empty");
  }
}

/** Checks IP addresses and blocks of them. */
export function checkAddresses(values: readonly string[], path: ObjectPath, faults: FaultList): void {
  for (const [index, value] of values.entries()) {
    const fault = value.includes("/") || isIP(value) === 0 ? subnetFault(value) : undefined;
    if (fault !== undefined) faults.error([...path, index], fault);
  }
}

/** Checks port numbers, which stand as texts; 0 is one of them. */
export function checkPorts(values: readonly string[], path: ObjectPath, faults: FaultList): void {
  for (const [index, value] of values.entries()) {
    if (!/^[0-9]+$/.test(value) || Number(value) > 65_535) {
      faults.error([...path, index], `"${value}" is not a port in 0..65535`);
    }
  }
}

/** Checks service accounts: `account` or `namespace/account`. */
export function checkServiceAccounts(values: readonly string[], path: ObjectPath, faults: FaultList): void {
  if (values.length > mostAccounts) faults.error(path, `takes ${mostAccounts} values at most`);
  for (const [index, value] of values.entries()) {
    const at = [...path, index];
    if (value.includes("*")) faults.error(at, "wildcards do not work for service accounts");
    else if (value.length > longestAccount) faults.error(at, `is longer than ${longestAccount}`);
    else if (!/^[^/]+(?:\/[^/]+)?$/.test(value)) {
      faults.error(at, `"${value}" is neither an account nor namespace/account`);
    }
  }
}

/** Checks texts that may have one wildcard, at their begin or end. */
export function checkWildcards(values: readonly string[], path: ObjectPath, faults: FaultList): void {
  checkTexts(values, path, faults);
  for (const [index, value] of values.entries()) {
    if (value !== "" && !/^(?:\*?[^*]*|[^*]*\*)$/.test(value)) {
      faults.error([...path, index], `"${value}" may have one wildcard, at its begin or end`);
    }
  }
}

/** Checks trust domains, which may have one wildcard. */
export function checkTrustDomains(values: readonly string[], path: ObjectPath, faults: FaultList): void {
  checkWildcards(values, path, faults);
  for (const [index, value] of values.entries()) {
    if (value.includes("/")) faults.error([...path, index], `"${value}" is not a trust domain: it has a slash`);
  }
}
