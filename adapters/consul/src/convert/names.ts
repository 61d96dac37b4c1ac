import { byCodeUnit, contentHash } from "@signalbox/model";

/** Longest label of a DNS name. */
const maxLabel = 63;

/**
 * The part of a hostname that stands for a service name: lower case, what DNS names cannot hold replaced by dashes, labels
 * beyond 63 characters cut and ended by a hash of the whole name. Underscores and dots stay, as in Consul's own names.
 */
export function hostPart(name: string): string {
  const labels = name
    .toLowerCase()
    .split(".")
    .map((label) => label.replaceAll(/[^a-z0-9_-]+/g, "-").replaceAll(/^-+|-+$/g, ""))
    .filter((label) => label !== "");
  if (labels.length === 0) return `service-${hashOf(name)}`;
  return labels.map((label) => (label.length > maxLabel ? withHash(label, name) : label)).join(".");
}

/** Gives every service name a host part of its own. What it gives depends only on the names that are there, not on their order. */
export class HostParts {
  readonly #names = new Map<string, Set<string>>();

  /** Adds a name. Returns the other names whose host part may have changed by it. */
  add(name: string): readonly string[] {
    const part = hostPart(name);
    const names = this.#names.get(part) ?? new Set<string>();
    const others = [...names].filter((other) => other !== name);
    this.#names.set(part, names.add(name));
    return others;
  }

  /** Removes a name. Returns the other names whose host part may have changed by it. */
  remove(name: string): readonly string[] {
    const part = hostPart(name);
    const names = this.#names.get(part);
    names?.delete(name);
    if (names?.size === 0) this.#names.delete(part);
    return [...(names ?? [])];
  }

  /** The host part of a name that was added; of names that collide, all but the first one end in a hash. */
  of(name: string): string {
    const part = hostPart(name);
    const names = this.#names.get(part);
    if (names === undefined || names.size < 2 || winner(names, part) === name) return part;
    const [first = part, ...rest] = part.split(".");
    return [withHash(first, name), ...rest].join(".");
  }

  /** Whether another name has the host part that this one would have. */
  collides(name: string): boolean {
    return this.of(name) !== hostPart(name);
  }
}

function winner(names: ReadonlySet<string>, part: string): string | undefined {
  return names.has(part) ? part : [...names].sort(byCodeUnit)[0];
}

function withHash(label: string, name: string): string {
  const hash = hashOf(name);
  return `${label.slice(0, maxLabel - hash.length - 1).replace(/-+$/, "")}-${hash}`;
}

function hashOf(name: string): string {
  return contentHash(name).slice(0, 8);
}
