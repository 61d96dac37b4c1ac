import type { FaultList, ObjectPath } from "../fault.ts";
import { durationFault } from "../names.ts";
import type { LoadBalancer } from "../schema/destination-rule.ts";
import { checkLocalitySetting, checkZoneAwareSetting } from "./locality.ts";

/** Envoy's largest Maglev table has fewer places than this prime. */
const maglevBound = 5_000_011;

/** Checks how endpoints are chosen. `ejects` says whether there is outlier detection. */
export function checkLoadBalancer(
  balancer: LoadBalancer | undefined,
  path: ObjectPath,
  ejects: boolean,
  faults: FaultList,
): void {
  if (balancer === undefined) return;
  const { consistentHash, localityLbSetting, warmup, zoneAwareLbSetting } = balancer;
  if (consistentHash !== undefined) checkHash(consistentHash, [...path, "consistentHash"], faults);
  if (localityLbSetting !== undefined && zoneAwareLbSetting !== undefined)
    faults.error([...path, "zoneAwareLbSetting"], "cannot stand beside localityLbSetting");
  checkLocalitySetting(localityLbSetting, [...path, "localityLbSetting"], ejects, faults);
  checkZoneAwareSetting(zoneAwareLbSetting, [...path, "zoneAwareLbSetting"], ejects, faults);
  if (warmup !== undefined) checkWarmup(warmup, [...path, "warmup"], faults);
}

function checkHash(hash: NonNullable<LoadBalancer["consistentHash"]>, path: ObjectPath, faults: FaultList): void {
  const { httpCookie, maglev, minimumRingSize, ringHash } = hash;
  if (httpCookie !== undefined) checkCookie(httpCookie, [...path, "httpCookie"], faults);
  if (minimumRingSize !== 0) {
    const at = [...path, "minimumRingSize"];
    faults.warning(at, "is out of date: use ringHash.minimumRingSize");
    if (ringHash !== undefined || maglev !== undefined) faults.error(at, "cannot stand beside ringHash or maglev");
  }
  if (maglev === undefined) return;
  const { tableSize } = maglev;
  const at = [...path, "maglev", "tableSize"];
  if (tableSize === 0) faults.error(at, "is required");
  else if (tableSize >= maglevBound) faults.error(at, `must be less than ${maglevBound}`);
  else if (!isPrime(tableSize)) faults.error(at, "must be a prime number");
}

function checkCookie(
  { attributes, name }: NonNullable<NonNullable<LoadBalancer["consistentHash"]>["httpCookie"]>,
  path: ObjectPath,
  faults: FaultList,
): void {
  if (name === "") faults.error([...path, "name"], "is required");
  const seen = new Set<string>();
  for (const [index, attribute] of attributes.entries()) {
    const at = [...path, "attributes", index, "name"];
    if (attribute.name === "") faults.error(at, "is required");
    else if (seen.has(attribute.name)) faults.error(at, `another attribute is named "${attribute.name}"`);
    seen.add(attribute.name);
  }
}

function checkWarmup(
  { aggression, duration, minimumPercent }: NonNullable<LoadBalancer["warmup"]>,
  path: ObjectPath,
  faults: FaultList,
): void {
  const fault = duration === undefined ? "is required" : durationFault(duration);
  if (fault !== undefined) faults.error([...path, "duration"], fault);
  if ((minimumPercent ?? 0) > 100) faults.error([...path, "minimumPercent"], "must be at most 100");
  if (aggression !== undefined && aggression <= 0) faults.error([...path, "aggression"], "must be greater than 0");
}

/** By Envoy's rule, which takes 1 for a prime. */
function isPrime(number: number): boolean {
  if (number >= 1 && number < 4) return true;
  if (number % 2 === 0) return false;
  for (let factor = 3; factor * factor <= number; factor += 2) if (number % factor === 0) return false;
  return true;
}
