import type { ObjectFault } from "../fault.ts";

/** Faults as `severity path: message`, for tests that look for a part of it. */
export function faultLines(faults: readonly ObjectFault[]): readonly string[] {
  return faults.map(({ severity, path, message }) => `${severity} ${path.join(".")}: ${message}`);
}
