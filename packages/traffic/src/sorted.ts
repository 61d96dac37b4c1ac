import { byCodeUnit } from "@signalbox/model";

/** Hosts once each, sorted. */
export function sorted(hosts: Iterable<string>): readonly string[] {
  return [...new Set(hosts)].sort(byCodeUnit);
}
