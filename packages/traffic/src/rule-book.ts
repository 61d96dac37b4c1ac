import type { ConfigPatch, Gateway, Sidecar } from "@signalbox/istio-objects";
import type { CatalogDelta } from "@signalbox/model";
import type { Steps } from "@signalbox/slices";
import type { Client } from "./client.ts";
import type { DestinationPolicy, Routing } from "./host-rules.ts";
import type { Rule } from "./rule.ts";

/** What a change of objects may have changed. Hosts are whole names or wildcards such as `*.example.com` and `*`. */
export interface RuleTouches {
  /**
   * Hosts whose rules may be others now, for some client. A host is meant where it and a member match each other as `hostsMatch` says: a
   * rule for one name may be a rule for connections to a wildcard service that covers it.
   */
  readonly hosts: ReadonlySet<string>;
  /** Gateways (`<namespace>/<name>`) that changed, or whose routes did. */
  readonly gateways: ReadonlySet<string>;
  /** Namespaces whose Sidecars changed; the root namespace stands for all. */
  readonly sidecars: ReadonlySet<string>;
  /** Namespaces whose EnvoyFilters changed; the root namespace stands for all. */
  readonly envoyFilters: ReadonlySet<string>;
  /** Clients may have other signatures now. */
  readonly signatures: boolean;
}

/** How one object fares. */
export interface RuleStatus {
  readonly key: string;
  /** False where the newest form cannot be used; the last good one, if there was one, stays in force. */
  readonly accepted: boolean;
  /** Whether a form of it decides what clients get. False for kinds that are read and checked, and no more. */
  readonly inForce: boolean;
  /** Why it cannot be used, or why Istio would refuse it when it is applied. */
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
}

/** One patch of an EnvoyFilter, with where it comes from. */
export interface EnvoyPatch {
  /** `<namespace>/<name>` of the EnvoyFilter. */
  readonly object: string;
  readonly patch: ConfigPatch;
}

/** Whether a client knows a VirtualService at all: what the hosts of a Sidecar's egress listener say. */
export type Imports = (routing: Pick<Routing, "namespace" | "hosts">) => boolean;

/** Which namespaces services of a host are in. */
export type Owners = (host: string) => readonly string[];

/** What a client may know of the world beside rules. */
export interface Knowledge {
  /** VirtualServices that it knows; all where absent. */
  readonly imports?: Imports;
  /** Services that it knows, of those whose name a host is or covers. */
  readonly services: (host: string) => Iterable<{ readonly hostname: string; readonly namespace: string }>;
}

/**
 * All rules of the catalog by what they are for. Pure: no clock, no I/O. Equal objects in any order of arrival give equal answers; equal
 * answers are the same object until something that they depend on changes.
 */
export interface RuleBook {
  /** Takes in changed objects of all kinds. Those that are no rules decide nothing; those of kinds that are none of Istio's are ignored. */
  apply(objects: CatalogDelta["objects"]): RuleTouches;
  /** The same in steps. What the book answers between two of them is partly old. */
  applying(objects: CatalogDelta["objects"]): Steps<RuleTouches>;
  /**
   * Which clients of one namespace are governed by equal rules: those with equal texts. Empty for a mesh client where neither labels nor
   * locality matter. Of what clients say, only their place is in it (locality, and labels that order failover), and only where rules ask.
   */
  signature(client: Client): string;
  /**
   * Hosts and wildcards whose rules may be others for this client than for `anyClient`. Sorted. Empty for most clients. With `owners`, a
   * host is left out whose services are all in the client's namespace, if rules there are for all.
   */
  particular(client: Client, owners?: Owners): readonly string[];
  /**
   * The routing of a host for calls of a mesh client (gateway `mesh`). HTTP routes are one object's: the most specific host wins, then the
   * client's own namespace, what was exported to it by name and what is for all, and there the oldest that has a route for the client. TLS
   * and TCP routes are those of all objects that match the host, specific or not, otherwise in that order; `namespace`, `name` and `hosts` are the first object's.
   * With `imports`, objects that the client does not know are passed over.
   */
  routing(host: string, client: Client, imports?: Imports): Routing | undefined;
  /** The destination rules of a host of a service in namespace `owner`, by Istio's order: the client's namespace, the service's, the root namespace. */
  destination(host: string, owner: string, client: Client): DestinationPolicy | undefined;
  /**
   * Whether a VirtualService of the mesh names exactly this host or wildcard (in lower case): for whichever clients, or, where one is given, with
   * routes for this client. With `imports`, objects that the client does not know are passed over.
   */
  isRouted(host: string, client?: Client, imports?: Imports): boolean;
  /** Hosts whose routing sends to this host, for some client. Sorted. */
  sendersTo(host: string): readonly string[];
  /** The Sidecar of this client (a router has none): its namespace's with a matching selector, its namespace's without one, the root namespace's. */
  sidecar(client: Client): Rule<Sidecar> | undefined;
  /** Gateways that select this router, of any namespace, in order of precedence. */
  gateways(client: Client): readonly Rule<Gateway>[];
  /** Routings of VirtualServices bound to a gateway (`<namespace>/<name>`), as a router reads them: in order of precedence, those of one host not merged. */
  gatewayRoutings(gateway: string, client: Client): readonly Routing[];
  /** The same in steps: a gateway may have thousands. What the rules say as it begins; whoever takes steps hears of a change meanwhile. */
  gatheringRoutings(gateway: string, client: Client): Steps<readonly Routing[]>;
  /** Patches for this client, in the order in which they are applied. */
  envoyPatches(client: Client): readonly EnvoyPatch[];
  /**
   * Whether an object (`<kind>/<namespace>/<name>`) has a part in what a client gets; a delegate has one where a VirtualService has that names it. Costs
   * work for each host of the object.
   */
  governs(key: string, client: Client, knowledge: Knowledge): boolean;
  /** How every object of Istio's kinds fares, by key; also those of kinds that are read and checked, and no more. */
  status(): readonly RuleStatus[];
}
