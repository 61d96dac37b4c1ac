import { BlockList, isIPv4, isIPv6 } from "node:net";
import { isCidr } from "@signalbox/model";
import type { RegistryId } from "@signalbox/model";

/** Thrown for a range of addresses that is none. */
export class InvalidCidrError extends Error {
  readonly code = "SBX_DRIFT_CIDR_INVALID";
  readonly registry: RegistryId;
  readonly cidr: string;

  constructor(registry: RegistryId, cidr: string) {
    super(`"${cidr}" of ${registry} is not an IP address with a prefix length, such as 10.0.0.0/8 or 2001:db8::/32`);
    this.name = "InvalidCidrError";
    this.registry = registry;
    this.cidr = cidr;
  }
}

/**
 * Ranges of IPv4 and IPv6 addresses. The families are apart: an IPv4-mapped IPv6 address is in no range of IPv4, because the
 * workloads there are known by another spelling, and it would look as if nobody had it.
 */
export class AddressRanges {
  readonly #ipv4 = new BlockList();
  readonly #ipv6 = new BlockList();

  /** Adds a range. Throws an InvalidCidrError. */
  add(registry: RegistryId, cidr: string): void {
    if (!isCidr(cidr) || cidr.includes("%")) throw new InvalidCidrError(registry, cidr);
    const slash = cidr.indexOf("/");
    const ip = cidr.slice(0, slash);
    const length = Number(cidr.slice(slash + 1));
    if (isIPv4(ip)) this.#ipv4.addSubnet(ip, length, "ipv4");
    else this.#ipv6.addSubnet(ip, length, "ipv6");
  }

  /** Whether the address is in one of the ranges. What is no IP address, and one with a zone, is in none. */
  has(ip: string): boolean {
    if (isIPv4(ip)) return this.#ipv4.check(ip, "ipv4");
    return isIPv6(ip) && !ip.includes("%") && this.#ipv6.check(ip, "ipv6");
  }
}
