import { byCodeUnit } from "./order.ts";
import type { Service } from "./service.ts";

/**
 * Istio's order of services that want the same thing: the oldest first, then by hostname and namespace. A service without
 * a date comes after all that have one: who can prove its age keeps what it has when an undated one appears.
 */
export function precedence(a: Service, b: Service): number {
  return byAge(a.createdAt, b.createdAt) || byCodeUnit(a.hostname, b.hostname) || byCodeUnit(a.namespace, b.namespace);
}

function byAge(a: number | undefined, b: number | undefined): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
  return a - b;
}
