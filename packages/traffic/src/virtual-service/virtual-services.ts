import type { VirtualService } from "@signalbox/istio-objects";
import type { Labels } from "@signalbox/model";
import type { Steps } from "@signalbox/slices";
import { byAge } from "../age.ts";
import { anyClient, type Client } from "../client.ts";
import { HostIndex } from "../host-index.ts";
import { hostsMatch, isWildcard, meshGateway, type NameDomain } from "../host-name.ts";
import type { Routing } from "../host-rules.ts";
import type { Imports } from "../rule-book.ts";
import type { RuleIndex, Touched } from "../rule-index.ts";
import type { Rule } from "../rule.ts";
import { SameList } from "../same-list.ts";
import { sorted } from "../sorted.ts";
import { BoundVirtualService } from "./bound.ts";
import { reachOrder } from "./reach.ts";
import { delegatesOf, isDelegate, type resolveVirtualService } from "./resolve.ts";
import { routingOf } from "./sources.ts";

const nobody: ReadonlySet<BoundVirtualService> = new Set();

/** All VirtualServices by what they are for. */
export class VirtualServices implements RuleIndex<VirtualService> {
  readonly #domain: NameDomain;
  readonly #resolve: typeof resolveVirtualService;
  /** By `<namespace>/<name>`, delegates too. */
  readonly #rules = new Map<string, Rule<VirtualService>>();
  readonly #bound = new Map<string, BoundVirtualService>();
  /** Who names a delegate, by the delegate's `<namespace>/<name>`. */
  readonly #roots = new Map<string, Set<string>>();
  readonly #dirty = new Set<string>();
  readonly #meshHosts = new HostIndex<BoundVirtualService>();
  readonly #layer4 = new Set<BoundVirtualService>();
  readonly #byGateway = new Map<string, Set<BoundVirtualService>>();
  readonly #byDestination = new Map<string, Set<BoundVirtualService>>();
  /** Those that not all clients get, or not all alike. */
  readonly #special = new Set<BoundVirtualService>();
  readonly #composites = new SameList<object, Routing>();
  readonly #lists = new SameList<Routing, readonly Routing[]>();

  constructor(domain: NameDomain, resolve: typeof resolveVirtualService) {
    this.#domain = domain;
    this.#resolve = resolve;
  }

  replace(before: Rule<VirtualService> | undefined, after: Rule<VirtualService> | undefined): void {
    const { object } = (after ?? before) as Rule<VirtualService>;
    const id = `${object.namespace}/${object.name}`;
    for (const delegate of before === undefined ? [] : delegatesOf(before)) drop(this.#roots, delegate, id);
    for (const delegate of after === undefined ? [] : delegatesOf(after)) put(this.#roots, delegate, id);
    if (after === undefined) this.#rules.delete(id);
    else this.#rules.set(id, after);
    this.#dirty.add(id);
    for (const root of this.#roots.get(id) ?? []) this.#dirty.add(root);
  }

  *settling(touched: Touched): Steps<undefined> {
    for (const id of this.#dirty) {
      this.#rebind(id, touched);
      yield;
    }
    this.#dirty.clear();
    return undefined;
  }

  /** What `RuleBook.routing` promises. */
  routing(host: string, client: Client, imports?: Imports): Routing | undefined {
    const name = host.toLowerCase();
    const covering = [...this.#meshHosts.covering(name)];
    const http = this.#httpRouting(name, covering, client, imports);
    const layer4 = this.#layer4Routings(name, covering, client, imports);
    const [first, ...others] = layer4;
    if (first === undefined) return http;
    // Most often one VirtualService says all of it.
    if (others.length === 0 && (first === http || (http === undefined && first.http.length === 0))) return first;
    return this.#compose(http, layer4);
  }

  /** What `RuleBook.isRouted` promises. */
  isRouted(host: string, client?: Client, imports?: Imports): boolean {
    const named = this.#meshHosts.get(host);
    if (named === undefined || client === undefined) return named !== undefined;
    for (const bound of named)
      if (sees(bound, client, imports) && bound.routing(meshGateway, client) !== undefined) return true;
    return false;
  }

  /** What `RuleBook.sendersTo` promises. */
  sendersTo(host: string): readonly string[] {
    const senders = this.#byDestination.get(host.toLowerCase()) ?? nobody;
    return sorted([...senders].flatMap(({ resolved }) => resolved.hosts));
  }

  /** What `RuleBook.gatheringRoutings` promises. */
  *gatheringRoutings(gateway: string, client: Client): Steps<readonly Routing[]> {
    const routings: Routing[] = [];
    for (const bound of inOrder(this.#byGateway.get(gateway) ?? nobody, client)) {
      const routing = bound.routing(gateway, client);
      if (routing !== undefined) routings.push(routing);
      yield;
    }
    return this.#lists.of(routings, () => routings);
  }

  /** Whether a VirtualService (`<namespace>/<name>`) gives a mesh client routes, or a router through one of these gateways. */
  governs(id: string, client: Client, imports: Imports | undefined, gateways: ReadonlySet<string>): boolean {
    const bound = this.#bound.get(id);
    if (bound === undefined) {
      // A delegate is in force where those are that name it.
      return [...(this.#roots.get(id) ?? [])].some(
        (root) => this.#bound.has(root) && this.governs(root, client, imports, gateways),
      );
    }
    if (client.kind === "router") {
      return bound.resolved.gateways.some(
        (gateway) =>
          gateways.has(gateway) &&
          bound.reach(client.namespace) !== undefined &&
          bound.routing(gateway, client) !== undefined,
      );
    }
    const own = bound.inMesh && sees(bound, client, imports) ? bound.routing(meshGateway, client) : undefined;
    if (own === undefined) return false;
    // Of connections that are not HTTP, the rules of all VirtualServices of a host count.
    if (own.tls.length + own.tcp.length > 0) return true;
    return bound.resolved.hosts.some((host) => {
      return this.#httpRouting(host, [...this.#meshHosts.covering(host)], client, imports) === own;
    });
  }

  /** Hosts whose routing may be another for this client than for `anyClient`. */
  *particular(client: Client): Generator<string, void, undefined> {
    for (const bound of this.#special) {
      if (!bound.inMesh || bound.reach(client.namespace) === undefined) continue;
      // One without a route for the client still stands before less specific ones.
      const alike = bound.public && bound.routing(meshGateway, client) === bound.routing(meshGateway, anyClient);
      if (!alike) yield* bound.resolved.hosts;
    }
  }

  /** Sets of labels that decide what clients of a namespace get. */
  *selectors(namespace: string): Generator<Labels, void, undefined> {
    for (const bound of this.#special) {
      if (bound.reach(namespace) !== undefined) yield* bound.selectors(namespace);
    }
  }

  /** The first of those with this very host that has a route for the client; of a wildcard that covers it, the first alone. */
  #httpRouting(
    name: string,
    covering: readonly { readonly host: string; readonly values: ReadonlySet<BoundVirtualService> }[],
    client: Client,
    imports: Imports | undefined,
  ): Routing | undefined {
    for (const { host, values } of covering) {
      const seen = inOrder(values, client, imports);
      if (seen.length === 0) continue;
      const candidates = host === name ? seen : seen.slice(0, 1);
      for (const bound of candidates) {
        const routing = bound.routing(meshGateway, client);
        if (routing !== undefined && routing.http.length > 0) return routing;
      }
      return undefined;
    }
    return undefined;
  }

  /** Connections that are not HTTP are matched against the rules of all VirtualServices of the host, the most specific or not. */
  #layer4Routings(
    name: string,
    covering: readonly { readonly values: ReadonlySet<BoundVirtualService> }[],
    client: Client,
    imports: Imports | undefined,
  ): readonly Routing[] {
    const found = new Set<BoundVirtualService>();
    for (const { values } of covering) for (const bound of values) if (bound.layer4) found.add(bound);
    if (isWildcard(name)) {
      for (const bound of this.#layer4) {
        if (bound.resolved.hosts.some((host) => hostsMatch(host, name))) found.add(bound);
      }
    }
    return inOrder(found, client, imports).flatMap((bound) => {
      const routing = bound.routing(meshGateway, client);
      return routing === undefined || routing.tls.length + routing.tcp.length === 0 ? [] : [routing];
    });
  }

  #compose(http: Routing | undefined, layer4: readonly Routing[]): Routing {
    const parts = http === undefined ? layer4 : [http, ...layer4];
    // Who comes first matters: with `http`, it alone gives HTTP routes.
    return this.#composites.of(http === undefined ? [this, ...layer4] : parts, () => {
      const [first] = parts;
      if (first === undefined) throw new Error("a routing is composed of at least one");
      return routingOf({
        namespace: first.namespace,
        name: first.name,
        hosts: first.hosts,
        http: http?.http ?? [],
        tls: layer4.flatMap(({ tls }) => tls),
        tcp: layer4.flatMap(({ tcp }) => tcp),
      });
    });
  }

  #rebind(id: string, touched: Touched): void {
    const before = this.#bound.get(id);
    const rule = this.#rules.get(id);
    const after = rule === undefined || isDelegate(rule) ? undefined : this.#bind(rule);
    if (before?.version === after?.version) return;
    if (before !== undefined) this.#remove(before);
    if (after !== undefined) this.#add(after);
    if (after === undefined) this.#bound.delete(id);
    else this.#bound.set(id, after);
    for (const bound of [before, after]) {
      if (bound === undefined) continue;
      if (bound.inMesh) for (const host of bound.resolved.hosts) touched.hosts.add(host);
      for (const gateway of bound.resolved.gateways) if (gateway !== meshGateway) touched.gateways.add(gateway);
    }
    if ((before?.terms ?? "") !== (after?.terms ?? "")) touched.signatures = true;
  }

  #bind(rule: Rule<VirtualService>): BoundVirtualService {
    const find = (namespace: string, name: string) => this.#rules.get(`${namespace}/${name}`);
    return new BoundVirtualService(rule, this.#resolve(rule, find, this.#domain));
  }

  #add(bound: BoundVirtualService): void {
    if (bound.inMesh) {
      for (const host of bound.resolved.hosts) this.#meshHosts.add(host, bound);
      for (const host of bound.destinations) put(this.#byDestination, host, bound);
      if (bound.layer4) this.#layer4.add(bound);
    }
    for (const gateway of bound.resolved.gateways) put(this.#byGateway, gateway, bound);
    if (!bound.public || bound.conditional) this.#special.add(bound);
  }

  #remove(bound: BoundVirtualService): void {
    for (const host of bound.resolved.hosts) this.#meshHosts.delete(host, bound);
    for (const host of bound.destinations) drop(this.#byDestination, host, bound);
    for (const gateway of bound.resolved.gateways) drop(this.#byGateway, gateway, bound);
    this.#layer4.delete(bound);
    this.#special.delete(bound);
  }
}

function sees(bound: BoundVirtualService, client: Client, imports: Imports | undefined): boolean {
  if (bound.reach(client.namespace) === undefined) return false;
  return imports?.(bound.resolved) ?? true;
}

/** Those that the client sees, in Istio's order: its own, those exported to it, those for all, each from the oldest. */
function inOrder(
  bound: ReadonlySet<BoundVirtualService>,
  client: Client,
  imports?: Imports,
): readonly BoundVirtualService[] {
  const seen = [...bound].filter((one) => sees(one, client, imports));
  if (seen.length < 2) return seen;
  return seen
    .map((one) => ({ one, order: reachOrder[one.reach(client.namespace) ?? "public"] }))
    .sort((a, b) => a.order - b.order || byAge(a.one.rule.object, b.one.rule.object))
    .map(({ one }) => one);
}

function put<V>(map: Map<string, Set<V>>, key: string, value: V): void {
  const values = map.get(key);
  if (values === undefined) map.set(key, new Set([value]));
  else values.add(value);
}

function drop<V>(map: Map<string, Set<V>>, key: string, value: V): void {
  const values = map.get(key);
  values?.delete(value);
  if (values?.size === 0) map.delete(key);
}
