import { byCodeUnit } from "@signalbox/model";
import type { Port } from "@signalbox/model";
import { precedence } from "./directory.ts";
import { encodeRouteConfiguration, encodeVirtualHost, fallbackHost, type Fallback } from "./routes.ts";
import type { EncodedParts } from "./encoded-parts.ts";

/** A service's claim on domains of a route table. Full names win over derived ones, then the older service wins. */
export interface RouteClaim {
  readonly parts: EncodedParts;
  readonly port: Port;
  readonly full: readonly string[];
  readonly derived: readonly string[];
}

/**
 * The virtual hosts of one route table. Each stays encoded until its own service changes. Envoy refuses a table in
 * which a domain stands twice, so a domain that two services want goes to one of them.
 */
export class RouteTable {
  readonly #name: string;
  readonly #fallback: Fallback;
  readonly #ignorePort: boolean;
  readonly #claims = new Map<string, RouteClaim>();
  readonly #claimants = new Map<string, number>();
  #sorted: string[] | undefined;
  #contested = 0;

  constructor(name: string, fallback: Fallback, ignorePort: boolean) {
    this.#name = name;
    this.#fallback = fallback;
    this.#ignorePort = ignorePort;
  }

  get isEmpty(): boolean {
    return this.#claims.size === 0;
  }

  /** Sets or withdraws what a service port claims. `key` is the port's place in the order of virtual hosts. */
  claim(key: string, claim: RouteClaim | undefined): void {
    const before = this.#claims.get(key);
    if (before !== undefined) this.#count(before, -1);
    if (claim !== undefined) this.#count(claim, 1);
    if ((before === undefined) !== (claim === undefined)) this.#sorted = undefined;
    if (claim === undefined) this.#claims.delete(key);
    else this.#claims.set(key, claim);
  }

  /** The bytes of the table: virtual hosts by name, then the one for every other host. */
  encode(): Uint8Array {
    this.#sorted ??= [...this.#claims.keys()].sort(byCodeUnit);
    const owners = this.#contested > 0 ? this.#owners() : undefined;
    const hosts: Uint8Array[] = [];
    for (const key of this.#sorted) {
      const claim = this.#claims.get(key);
      if (claim === undefined) continue;
      const all = domainsOf(claim);
      const domains = owners === undefined ? all : all.filter((domain) => owners.get(domain.toLowerCase()) === claim);
      if (domains.length > 0) hosts.push(claim.parts.virtualHost(claim.port, domains));
    }
    hosts.push(encodeVirtualHost(fallbackHost(this.#fallback)));
    return encodeRouteConfiguration(this.#name, hosts, this.#ignorePort);
  }

  #count(claim: RouteClaim, by: 1 | -1): void {
    for (const domain of domainsOf(claim)) {
      const key = domain.toLowerCase();
      const before = this.#claimants.get(key) ?? 0;
      const after = before + by;
      if (before > 1 !== after > 1) this.#contested += by;
      if (after === 0) this.#claimants.delete(key);
      else this.#claimants.set(key, after);
    }
  }

  #owners(): ReadonlyMap<string, RouteClaim> {
    const owners = new Map<string, RouteClaim>();
    const claims = [...this.#claims.values()].sort(
      (a, b) => precedence(a.parts.service, b.parts.service) || a.port.number - b.port.number,
    );
    for (const part of ["full", "derived"] as const) {
      for (const claim of claims) {
        for (const domain of claim[part]) {
          const key = domain.toLowerCase();
          if (!owners.has(key)) owners.set(key, claim);
        }
      }
    }
    return owners;
  }
}

/** Each domain once; `*` belongs to the fallback. */
function domainsOf({ full, derived }: RouteClaim): readonly string[] {
  const seen = new Map<string, string>();
  for (const domain of [...full, ...derived]) {
    const key = domain.toLowerCase();
    if (key !== "*" && key !== "*." && !seen.has(key)) seen.set(key, domain);
  }
  return [...seen.values()];
}
