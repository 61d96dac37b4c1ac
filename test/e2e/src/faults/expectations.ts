import { expect } from "vitest";
import type { FaultReport } from "./fault.ts";
import type { Sight, SourceProblem } from "./scene.ts";

/** That all of these and nobody else answered, that no call failed, and that Envoy never had fewer endpoints than `least`. */
export function expectServing(
  sight: Sight,
  names: readonly string[],
  { problem = "none", least = names.length }: { readonly problem?: SourceProblem; readonly least?: number } = {},
): void {
  const { leastEndpoints, ...rest } = sight;
  expect(rest).toEqual({ problem, answering: [...names].sort(), failed: [] });
  expect(leastEndpoints).toBeGreaterThanOrEqual(least);
}

/** That callers noticed nothing at any time of a fault, whatever the daemon had to say of the source meanwhile. */
export function expectUnnoticed(
  report: FaultReport,
  expected: { readonly endpoints: readonly string[]; readonly added: string; readonly during: SourceProblem },
): void {
  const { endpoints, added, during } = expected;
  expectServing(report.before, endpoints);
  expectServing(report.during, endpoints, { problem: during });
  expectServing(report.after, endpoints);
  expect(report.endpointChanges).toBe(0);
  expectServing(report.changed, [...endpoints, added], { least: endpoints.length });
  expect(report.nacks).toBe(0);
}
