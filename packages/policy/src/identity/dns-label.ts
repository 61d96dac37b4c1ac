import { contentHash } from "@signalbox/model";

/** The longest label that DNS allows (RFC 1035, 2.3.4). */
const longestLabel = 63;

/**
 * A name as one DNS label: lower-case, every run of other characters than letters, digits and `-` one `-`, none at the ends. A label that
 * would be longer than 63 characters is cut and gets a hash of the whole name, so two long names stay two. `undefined` where nothing is left.
 */
export function dnsLabel(name: string): string | undefined {
  const label = name
    .toLowerCase()
    .replaceAll(/[^a-z0-9-]+/g, "-")
    .replaceAll(/^-+|-+$/g, "");
  if (label === "") return undefined;
  return label.length <= longestLabel ? label : suffixed(label, name);
}

/** A label with a hash of `identity` behind it: stable, and never longer than 63 characters. */
export function suffixed(label: string, identity: string): string {
  const suffix = `-${contentHash(identity).slice(0, 8)}`;
  return `${label.slice(0, longestLabel - suffix.length).replace(/-+$/, "")}${suffix}`;
}
