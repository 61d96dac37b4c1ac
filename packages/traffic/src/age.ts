import { byCodeUnit, type ConfigObject } from "@signalbox/model";

/** Istio's order of objects that want the same thing: the oldest first (without a date counts as oldest), then by name and namespace. */
export function byAge(a: ConfigObject, b: ConfigObject): number {
  return byDate(a, b) || byCodeUnit(a.name, b.name) || byCodeUnit(a.namespace, b.namespace);
}

/** The oldest first. An object without a date has the earliest one, as with Istio. */
export function byDate(a: ConfigObject, b: ConfigObject): number {
  if (a.createdAt === b.createdAt) return 0;
  return (a.createdAt ?? -Infinity) - (b.createdAt ?? -Infinity);
}
