import type { FaultList } from "../fault.ts";
import { isIpAddress, wildcardHostFault } from "../names.ts";
import type { VirtualService } from "../schema/virtual-service.ts";

/** The name that stands for all sidecars among gateways. */
const mesh = "mesh";

/** Whether a VirtualService is for gateways only. */
export function isForGateways({ gateways }: VirtualService): boolean {
  return gateways.length > 0 && !gateways.includes(mesh);
}

/** Checks `spec.hosts`: names, `*`, and that no host is covered twice. */
export function checkHosts(rule: VirtualService, faults: FaultList): void {
  const forGateways = isForGateways(rule);
  const takesSni = forGateways && rule.tls.some(({ match }) => match.some(({ sniHosts }) => sniHosts.length > 0));
  let allFit = true;
  for (const [index, host] of rule.hosts.entries()) {
    const named = takesSni ? sniHostFault(host) : wildcardHostFault(host);
    const fault = named !== undefined && isIpAddress(host) ? undefined : named;
    const everything = host === "*" && !forGateways ? "the host * is for gateways only, not for the mesh" : undefined;
    const found = fault ?? everything;
    if (found === undefined) continue;
    faults.error(["spec", "hosts", index], found);
    allFit = false;
  }
  if (allFit) checkOverlaps(rule.hosts, faults);
}

/** Checks a server name at a gateway: a host, or what Istio calls a port of a service there (`outbound_.80_._.web.shop.svc`). */
export function sniHostFault(host: string): string | undefined {
  if (!host.startsWith("outbound_") || host.length > 255) return wildcardHostFault(host);
  const [, port = "", , name = ""] = host.split("_");
  if (/[0-9]/.test(port) && /[a-zA-Z]/.test(name)) return undefined;
  return `"${host}" is not of the form outbound_.PORT_._.HOST`;
}

function checkOverlaps(hosts: readonly string[], faults: FaultList): void {
  const plain = new Map<string, number>();
  const suffixes = new Map<string, number>();
  for (const [index, host] of hosts.entries()) {
    const [map, key] = host.startsWith("*") ? [suffixes, host.slice(1)] : [plain, host];
    const first = map.get(key);
    if (first === undefined) map.set(key, index);
    else faults.error(["spec", "hosts", index], `"${host}" is named twice`);
  }
  for (const [index, host] of hosts.entries()) {
    const covering = suffixesOf(host, host.startsWith("*") ? 2 : 0).find((suffix) => suffixes.has(suffix));
    if (covering === undefined) continue;
    const later = Math.max(index, suffixes.get(covering) ?? 0);
    faults.error(["spec", "hosts", later], `"${host}" is covered by "*${covering}", so it is named twice`);
  }
}

/** The hosts of one VirtualService, to ask which names they cover. */
export class CoveredHosts {
  readonly #plain = new Set<string>();
  readonly #suffixes = new Set<string>();

  constructor(hosts: readonly string[]) {
    for (const host of hosts) {
      if (host.startsWith("*")) this.#suffixes.add(host.slice(1));
      else this.#plain.add(host);
    }
  }

  /** Whether every name that fits `host` fits one of the hosts. */
  cover(host: string): boolean {
    if (this.#plain.has(host)) return true;
    return suffixesOf(host, host.startsWith("*") ? 1 : 0).some((suffix) => this.#suffixes.has(suffix));
  }
}

/** All ends of a host from this place on, the longest first. */
function suffixesOf(host: string, from: number): readonly string[] {
  return Array.from({ length: Math.max(host.length + 1 - from, 0) }, (_, index) => host.slice(from + index));
}
