import type { FaultList, ObjectPath } from "../fault.ts";
import type { HeadersPolicy } from "../schema/virtual-service.ts";
import { changedHeaderFault, isAuthority } from "./header-names.ts";
import { headerValueFault } from "./header-value.ts";

/** Checks header operations, on requests and responses. */
export function checkHeaders(headers: HeadersPolicy | undefined, path: ObjectPath, faults: FaultList): void {
  for (const side of ["request", "response"] as const) {
    const operations = headers?.[side];
    if (operations === undefined) continue;
    for (const operation of ["set", "add"] as const) {
      for (const [name, value] of Object.entries(operations[operation])) {
        const at = [...path, side, operation, name];
        const nameFault = changedHeaderFault(name, side === "request");
        if (nameFault !== undefined) faults.error(at, nameFault, "key");
        const valueFault = headerValueFault(value);
        if (valueFault !== undefined) faults.error(at, valueFault);
      }
    }
    for (const [index, name] of operations.remove.entries()) {
      const fault = changedHeaderFault(name, false);
      if (fault !== undefined) faults.error([...path, side, "remove", index], fault);
    }
  }
}

/** Checks that the request's authority is written in one place only: by the rewrite, or by one header operation. */
export function checkOneAuthority(
  rewritten: string,
  headers: HeadersPolicy | undefined,
  path: ObjectPath,
  faults: FaultList,
): void {
  let current = rewritten;
  for (const operation of ["set", "add"] as const) {
    for (const [name, value] of Object.entries(headers?.request?.[operation] ?? {})) {
      if (!isAuthority(name)) continue;
      if (current !== "") {
        faults.error([...path, "headers", "request", operation, name], `sets the authority again, after "${current}"`);
        return;
      }
      current = value;
    }
  }
}
