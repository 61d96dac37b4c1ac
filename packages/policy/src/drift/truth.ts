import { byCodeUnit, canonicalIp, isIpAddress } from "@signalbox/model";
import type { RegistryId, ServiceInstance, Workload, WorkloadKey } from "@signalbox/model";
import { firstFit } from "../patterns.ts";
import { AddressRanges } from "./address-ranges.ts";
import { foreign } from "./belonging.ts";
import type { Claim, DriftService } from "./belonging.ts";
import { ClusterAddress, declaredPorts } from "./cluster-address.ts";
import type { Departed, Moment, Present } from "./cluster-address.ts";
import { UnlistedDepartures } from "./departures.ts";
import type { DriftMembers } from "./members.ts";
import { driftDefaults } from "./options.ts";
import type { DriftOptions } from "./options.ts";
import { mildest } from "./verdict.ts";
import type { DriftVerdict, Unverified, Verified } from "./verdict.ts";

/** One registry whose workloads are the truth. */
interface Cluster {
  readonly registry: RegistryId;
  readonly ranges: AddressRanges;
  readonly workloads: Map<WorkloadKey, Present>;
  readonly addresses: Map<string, ClusterAddress>;
  /** Listed addresses that had no two complete reads yet since something there began to be missing. */
  readonly unread: Set<string>;
  trusted: boolean;
  /** The ticks of the last complete read and of the one before; 0 is none. */
  lastRead: number;
  readBefore: number;
}

/** An endpoint that a checked registry lists: since when, and in how many records. */
interface Listed extends Moment {
  readonly records: number;
}

/** What checked registries list at one address. */
interface ListedAddress {
  /** The clusters that have a say about it. */
  readonly clusters: readonly Cluster[];
  /** By identity. */
  readonly endpoints: Map<string, Listed>;
}

/**
 * What the workloads of clusters say about the endpoints of other registries. It is told of workloads and endpoints as they
 * come and go, and asked for verdicts; asking changes nothing. There is no clock: verdicts that time alone changes say when.
 *
 * A workload that `FAILED` has ended and does not hold its address: it counts as gone.
 */
export class DriftTruth {
  readonly #clusters = new Map<RegistryId, Cluster>();
  readonly #options: Required<DriftOptions>;
  readonly #listed = new Map<string, ListedAddress>();
  readonly #departures = new UnlistedDepartures();
  /** Counts what was told, so that "since then" does not depend on the resolution of a clock. */
  #tick = 0;

  /** Throws an InvalidCidrError. Clusters of the same registry are one. */
  constructor(options: DriftOptions) {
    this.#options = { ...driftDefaults, ...options };
    for (const { registry, podCidrs } of options.clusters) {
      let cluster = this.#clusters.get(registry);
      if (cluster === undefined) this.#clusters.set(registry, (cluster = newCluster(registry)));
      for (const cidr of podCidrs) cluster.ranges.add(registry, cidr);
    }
  }

  /** Whether the endpoints of this registry are checked. */
  checks(registry: RegistryId): boolean {
    return !this.#clusters.has(registry) && firstFit(this.#options.checked, registry) >= 0;
  }

  /**
   * A workload came, changed or went. Returns the addresses whose verdicts may have changed, sorted, as `canonicalIp` writes them.
   * Of `before` only the key counts.
   */
  update(
    registry: RegistryId,
    before: Workload | undefined,
    after: Workload | undefined,
    now: number,
  ): readonly string[] {
    const cluster = this.#clusters.get(registry);
    if (cluster === undefined) return [];
    const changed = new Set<string>();
    if (before !== undefined && before.key !== after?.key) this.#replace(cluster, before.key, undefined, now, changed);
    if (after !== undefined) this.#replace(cluster, after.key, after, now, changed);
    this.#prune(now);
    return [...changed].sort(byCodeUnit);
  }

  /**
   * What a checked registry lists came, changed or went: endpoints of one record before and after. From then on it counts how long
   * an endpoint is missing; without it no endpoint is a ghost but one whose workload was seen leaving.
   */
  listed(
    registry: RegistryId,
    before: readonly ServiceInstance[],
    after: readonly ServiceInstance[],
    now: number,
  ): void {
    if (!this.checks(registry)) return;
    const moment = { at: now, tick: ++this.#tick };
    // First what is there now, so that an endpoint in both keeps its time.
    for (const [id, ip] of this.#endpoints(registry, after)) this.#list(ip, id, moment);
    for (const [id, ip] of this.#endpoints(registry, before)) this.#unlist(ip, id, now);
    this.#prune(now);
  }

  /**
   * A complete read of that registry ended, be it that nothing was new. Returns the addresses whose verdicts may have changed by
   * that, sorted, as `canonicalIp` writes them.
   */
  read(registry: RegistryId, now: number): readonly string[] {
    const cluster = this.#clusters.get(registry);
    if (cluster === undefined) return [];
    const counted = cluster.readBefore;
    cluster.readBefore = cluster.lastRead;
    cluster.lastRead = ++this.#tick;
    const changed: string[] = [];
    for (const ip of cluster.unread) {
      const listed = this.#listed.get(ip)?.endpoints.values() ?? [];
      const ticks = [...listed, ...(cluster.addresses.get(ip)?.departures ?? [])].map(({ tick }) => tick);
      if (ticks.some((tick) => tick >= counted && tick < cluster.readBefore)) changed.push(ip);
      if (ticks.every((tick) => tick < cluster.readBefore)) cluster.unread.delete(ip);
    }
    this.#prune(now);
    return changed.sort(byCodeUnit);
  }

  /**
   * Whether this registry may be believed now: it has told everything, and not too long ago. At first none may. Returns
   * whether that changed; then the verdicts of all its addresses may have.
   */
  trust(registry: RegistryId, trusted: boolean): boolean {
    const cluster = this.#clusters.get(registry);
    if (cluster === undefined || cluster.trusted === trusted) return false;
    cluster.trusted = trusted;
    return true;
  }

  /** Whether this registry is believed. */
  trusts(registry: RegistryId): boolean {
    return this.#clusters.get(registry)?.trusted === true;
  }

  /** Whether some cluster has a say about the address, believed or not. */
  covers(ip: string): boolean {
    return this.#around(canonicalIp(ip)).length > 0;
  }

  /**
   * The workloads of a believed cluster that are there: those that have the address, those on the host network only with the
   * port, too. None for an address outside its ranges. Sorted by key.
   */
  workloadsAt(registry: RegistryId, ip: string, port: number): readonly Workload[] {
    const cluster = this.#clusters.get(registry);
    if (cluster?.trusted !== true) return [];
    return (
      cluster.addresses
        .get(canonicalIp(ip))
        ?.joined(port)
        .map(({ workload }) => workload) ?? []
    );
  }

  /**
   * What the workloads say about an endpoint. With several addresses, those that no cluster covers do not count; it is an impostor
   * with one that leads to another service, and else what speaks most for it counts. Where the ranges of clusters overlap, each may
   * have the endpoint, and what speaks most for it counts.
   */
  verdict(
    instance: ServiceInstance,
    registry: RegistryId,
    service: DriftService,
    members: DriftMembers,
    now: number,
  ): DriftVerdict {
    if (!this.checks(registry)) return unverified(`${registry} is not checked`);
    const verdicts: DriftVerdict[] = [];
    for (const address of instance.addresses) {
      if (address.type !== "ip") continue;
      const ip = canonicalIp(address.ip);
      const clusters = this.#around(ip);
      const claim = { instance, registry, service, ip, port: address.port };
      const [first, ...rest] = clusters.map((cluster) => this.#verdictIn(cluster, claim, members, now));
      if (first !== undefined) verdicts.push(mildest([first, ...rest]));
    }
    const [first, ...rest] = verdicts;
    if (first === undefined) return unverified("no cluster covers its address");
    return verdicts.find(({ verdict }) => verdict === "IMPOSTOR") ?? mildest([first, ...rest]);
  }

  #verdictIn(cluster: Cluster, claim: Claim, members: DriftMembers, now: number): DriftVerdict {
    const { instance, ip, port, registry } = claim;
    const listed = this.#listed.get(ip)?.endpoints.get(identity(registry, instance, ip));
    if (!cluster.trusted) return unverified(`${cluster.registry} is not in sync`, listed);
    const at = cluster.addresses.get(ip);
    const here = at?.joined(port) ?? [];
    if (here.length > 0) return this.#verdictOf(here, cluster, claim, members, listed);
    const departed = at?.departedFrom(port);
    const hosts = at?.present ?? [];
    if (
      hosts.length > 0 &&
      (departed === undefined || hosts.some(({ workload }) => declaredPorts(workload).length === 0))
    ) {
      return unverified(`${ip} is a host's, and no workload there declares port ${port}`, listed);
    }
    return this.#missing(cluster, claim, listed, departed, now);
  }

  #verdictOf(
    here: readonly Present[],
    cluster: Cluster,
    claim: Claim,
    members: DriftMembers,
    listed: Listed | undefined,
  ): DriftVerdict {
    // One that ends may have lost its address to one that runs.
    const running = here.filter(({ workload }) => workload.phase !== "TERMINATING");
    const [first, ...rest] = (running.length > 0 ? running : here).map(({ workload, arrivedAt, phaseSince }) => {
      const { key, phase } = workload;
      const is = (verdict: Verified["verdict"], detail: string, since: number): Verified => {
        return { verdict, detail, since: Math.max(since, listed?.at ?? since), workload: key };
      };
      const other = foreign(claim, cluster.registry, workload, members, this.#options);
      if (other !== undefined) return is("IMPOSTOR", `${claim.ip} is of ${key}: ${other}`, arrivedAt);
      if (phase === "TERMINATING") return is("TERMINATING", `${key} is terminating`, phaseSince);
      if (phase !== "READY")
        return is("NOT_READY", `${key} is ${phase === "PENDING" ? "pending" : "not ready"}`, phaseSince);
      const ports = declaredPorts(workload);
      if (ports.length > 0 && !ports.includes(claim.port)) {
        return is("PORT_MISMATCH", `${key} declares ${ports.join(", ")}, not ${claim.port}`, arrivedAt);
      }
      return is("CONFIRMED", `${key} is ready`, phaseSince);
    });
    if (first === undefined) throw new Error("a verdict of no workload");
    return mildest([first, ...rest]);
  }

  /** Nobody has the address: a ghost at once if its workload was seen leaving, and else after a while. */
  #missing(
    cluster: Cluster,
    { instance, ip }: Claim,
    listed: Listed | undefined,
    departed: Departed | undefined,
    now: number,
  ): DriftVerdict {
    if (departed !== undefined && this.#wasThereBefore(instance, listed, departed)) {
      const since = Math.max(departed.at, listed?.at ?? departed.at);
      const { workload } = departed;
      return { verdict: "GHOST", detail: `${workload}, which had ${ip}, is gone`, since, workload };
    }
    if (listed === undefined) return unverified(`no workload has ${ip} yet`);
    const missing: Moment = {
      at: Math.max(listed.at, departed?.at ?? listed.at),
      tick: Math.max(listed.tick, departed?.tick ?? 0),
    };
    const since = missing.at;
    const dueAt = since + this.#options.ghostAfterMs;
    const isRead = missing.tick < cluster.readBefore;
    if (now >= dueAt && isRead) return { verdict: "GHOST", detail: `no workload has ${ip}`, since };
    return { ...unverified(`no workload has ${ip} yet`, missing), ...(now < dueAt && { dueAt }) };
  }

  /** A registration after the workload left may be that of the next one with the address, which its cluster has yet to tell of. */
  #wasThereBefore({ registeredAt }: ServiceInstance, listed: Listed | undefined, departed: Departed): boolean {
    if (registeredAt !== undefined) return registeredAt + this.#options.skewMs <= departed.at;
    return listed !== undefined && listed.tick < departed.tick;
  }

  #replace(cluster: Cluster, key: WorkloadKey, after: Workload | undefined, now: number, changed: Set<string>): void {
    const before = cluster.workloads.get(key);
    const workload = after?.phase === "FAILED" ? undefined : after;
    if (before === undefined && workload === undefined) return;
    const oldIps = before === undefined ? [] : covered(cluster, before.workload);
    const newIps = workload === undefined ? [] : covered(cluster, workload);
    const isChange = before === undefined || workload === undefined || this.#differs(before.workload, workload);
    const moment = { at: now, tick: ++this.#tick };
    for (const ip of oldIps) {
      // A workload whose ports on the host network changed has left the old ones.
      const leaves =
        !newIps.includes(ip) || (isChange && (before?.workload.hostNetwork === true || workload?.hostNetwork === true));
      if (!leaves || before === undefined) continue;
      this.#at(cluster, ip).depart(before.workload, moment);
      if (this.#listed.has(ip)) cluster.unread.add(ip);
      else this.#departures.put(ip, now);
    }
    if (workload === undefined) cluster.workloads.delete(key);
    else {
      const present: Present = {
        workload,
        arrivedAt: before?.arrivedAt ?? now,
        phaseSince: before?.workload.phase === workload.phase ? before.phaseSince : now,
      };
      cluster.workloads.set(key, present);
      for (const ip of newIps) this.#at(cluster, ip).put(present);
    }
    if (isChange) for (const ip of [...oldIps, ...newIps]) changed.add(ip);
  }

  /** Whether anything differs on which a verdict depends. */
  #differs(a: Workload, b: Workload): boolean {
    return (
      a.phase !== b.phase ||
      a.hostNetwork !== b.hostNetwork ||
      a.startedAt !== b.startedAt ||
      a.addresses.join(" ") !== b.addresses.join(" ") ||
      declaredPorts(a).join(" ") !== declaredPorts(b).join(" ") ||
      this.#options.serviceLabels.some((label) => a.labels[label] !== b.labels[label])
    );
  }

  #around(ip: string): readonly Cluster[] {
    return this.#listed.get(ip)?.clusters ?? [...this.#clusters.values()].filter(({ ranges }) => ranges.has(ip));
  }

  /** The endpoints that a cluster has a say about, by identity. Two with one identity are one. */
  #endpoints(registry: RegistryId, instances: readonly ServiceInstance[]): ReadonlyMap<string, string> {
    const endpoints = new Map<string, string>();
    for (const instance of instances) {
      for (const address of instance.addresses) {
        if (address.type !== "ip") continue;
        const ip = canonicalIp(address.ip);
        if (this.#around(ip).length > 0) endpoints.set(identity(registry, instance, ip), ip);
      }
    }
    return endpoints;
  }

  #list(ip: string, id: string, moment: Moment): void {
    let address = this.#listed.get(ip);
    if (address === undefined) {
      address = { clusters: this.#around(ip), endpoints: new Map() };
      this.#listed.set(ip, address);
      this.#departures.delete(ip);
    }
    const known = address.endpoints.get(id);
    address.endpoints.set(id, { ...(known ?? moment), records: (known?.records ?? 0) + 1 });
    if (known === undefined) for (const { unread } of address.clusters) unread.add(ip);
  }

  #unlist(ip: string, id: string, now: number): void {
    const address = this.#listed.get(ip);
    const known = address?.endpoints.get(id);
    if (address === undefined || known === undefined) return;
    if (known.records > 1) address.endpoints.set(id, { ...known, records: known.records - 1 });
    else address.endpoints.delete(id);
    if (address.endpoints.size > 0) return;
    this.#listed.delete(ip);
    for (const { addresses } of address.clusters) {
      if (addresses.get(ip)?.isEmpty === true) addresses.delete(ip);
      else if ((addresses.get(ip)?.departures.length ?? 0) > 0) this.#departures.put(ip, now);
    }
  }

  #at({ addresses }: Cluster, ip: string): ClusterAddress {
    let at = addresses.get(ip);
    if (at === undefined) addresses.set(ip, (at = new ClusterAddress()));
    return at;
  }

  #prune(now: number): void {
    for (const ip of this.#departures.takeExpired(now)) {
      for (const { addresses } of this.#clusters.values()) {
        addresses.get(ip)?.forgetDepartures();
        if (addresses.get(ip)?.isEmpty === true) addresses.delete(ip);
      }
    }
  }
}

function newCluster(registry: RegistryId): Cluster {
  return {
    registry,
    ranges: new AddressRanges(),
    workloads: new Map(),
    addresses: new Map(),
    unread: new Set(),
    trusted: false,
    lastRead: 0,
    readBefore: 0,
  };
}

/** An endpoint that registers anew is another one: its address may have a new owner. */
function identity(registry: RegistryId, { id, registeredAt }: ServiceInstance, ip: string): string {
  return `${registry}\0${ip}\0${id}\0${registeredAt ?? ""}`;
}

function covered(cluster: Cluster, { addresses }: Workload): readonly string[] {
  const ips = addresses.filter(isIpAddress).map(canonicalIp);
  return [...new Set(ips)].filter((ip) => cluster.ranges.has(ip));
}

function unverified(detail: string, begun?: Moment): Unverified {
  return { verdict: "UNVERIFIABLE", detail, ...(begun !== undefined && { since: begun.at }) };
}
