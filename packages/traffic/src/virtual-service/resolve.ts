import type { Destination, HttpRoute, TcpRoute, TlsRoute, VirtualService } from "@signalbox/istio-objects";
import { byCodeUnit } from "@signalbox/model";
import { meshGateway, wholeGateway, wholeHost, type NameDomain } from "../host-name.ts";
import type { Rule } from "../rule.ts";
import { delegatedRoutes } from "./delegate.ts";
import { reachOf } from "./reach.ts";

/** A VirtualService with whole names and with its delegates put in, for all sources and gateways. */
export interface ResolvedVirtualService {
  readonly namespace: string;
  readonly name: string;
  readonly hosts: readonly string[];
  /** `<namespace>/<name>` and `mesh`; `mesh` alone where the object names none. */
  readonly gateways: readonly string[];
  readonly http: readonly HttpRoute[];
  readonly tls: readonly TlsRoute[];
  readonly tcp: readonly TcpRoute[];
}

/** Finds a VirtualService by namespace and name. */
export type FindVirtualService = (namespace: string, name: string) => Rule<VirtualService> | undefined;

/** Whether other VirtualServices may take this one's routes: it has no hosts of its own. */
export function isDelegate(rule: Rule<VirtualService>): boolean {
  return rule.spec.hosts.length === 0;
}

/** `<namespace>/<name>` of each delegate that a VirtualService names. */
export function delegatesOf({ object, spec }: Rule<VirtualService>): readonly string[] {
  return spec.http.flatMap(({ delegate }) =>
    delegate === undefined ? [] : [`${delegate.namespace || object.namespace}/${delegate.name}`],
  );
}

/** Makes all names whole and puts delegates in. A route whose delegate is missing or not exported to its root is left out. */
export function resolveVirtualService(
  { object, spec }: Rule<VirtualService>,
  find: FindVirtualService,
  domain: NameDomain,
): ResolvedVirtualService {
  const names = namesOf(object.namespace, domain);
  return {
    namespace: object.namespace,
    name: object.name,
    hosts: [...new Set(spec.hosts.map((host) => wholeHost(host, object.namespace, domain)))],
    gateways: spec.gateways.length === 0 ? [meshGateway] : spec.gateways.map(names.gateway),
    http: spec.http.flatMap((route) => {
      if (route.delegate === undefined) return [names.http(route)];
      const owner = route.delegate.namespace || object.namespace;
      const delegate = find(owner, route.delegate.name);
      if (delegate === undefined || !isDelegate(delegate)) return [];
      if (reachOf(delegate.spec.exportTo, owner, object.namespace) === undefined) return [];
      return delegatedRoutes(names.http(route), delegate.spec.http.map(namesOf(owner, domain).http));
    }),
    tls: spec.tls.map(names.layer4),
    tcp: spec.tcp.map(names.layer4),
  };
}

/** All hosts that routes send or mirror to, sorted. */
export function destinationsOf(routes: Pick<ResolvedVirtualService, "http" | "tls" | "tcp">): readonly string[] {
  const hosts = new Set<string>();
  const add = (destination: Destination | undefined) => {
    if (destination !== undefined && destination.host !== "") hosts.add(destination.host);
  };
  for (const route of routes.http) {
    for (const { destination } of route.route) add(destination);
    add(route.mirror);
    for (const { destination } of route.mirrors) add(destination);
  }
  for (const { route } of [...routes.tls, ...routes.tcp]) for (const { destination } of route) add(destination);
  return [...hosts].sort(byCodeUnit);
}

interface Matching {
  readonly gateways: readonly string[];
}
interface Sending {
  readonly destination: Destination | undefined;
}

/** Gives names that one namespace wrote their whole form. */
function namesOf(namespace: string, domain: NameDomain) {
  const gateway = (name: string) => wholeGateway(name, namespace);
  const destination = <D extends Destination | undefined>(to: D): D =>
    to === undefined ? to : { ...to, host: wholeHost(to.host, namespace, domain) };
  const match = <M extends Matching>(one: M): M => ({ ...one, gateways: one.gateways.map(gateway) });
  const target = <T extends Sending>(one: T): T => ({ ...one, destination: destination(one.destination) });
  const layer4 = <R extends { readonly match: readonly Matching[]; readonly route: readonly Sending[] }>(
    one: R,
  ): R => ({
    ...one,
    match: one.match.map(match),
    route: one.route.map(target),
  });
  const http = (route: HttpRoute): HttpRoute => ({
    ...layer4(route),
    mirror: destination(route.mirror),
    mirrors: route.mirrors.map(target),
  });
  return { gateway, http, layer4 };
}
