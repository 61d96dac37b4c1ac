import { VirtualHost_TlsRequirementType } from "@signalbox/envoy-api/envoy/config/route/v3/route_components";
import { byCodeUnit } from "@signalbox/model";
import type { Client, Routing, RuleBook } from "@signalbox/traffic";
import type { Steps } from "@signalbox/slices";
import { resourceOf, type Resource } from "@signalbox/xds-server";
import type { MeshSettings } from "../mesh.ts";
import { encodeRouteConfiguration, encodeVirtualHost, virtualHost, type RouteInit } from "../routes.ts";
import { httpRoutes } from "../routing/http-routes.ts";
import { catchAllLast } from "../routing/route-match.ts";
import type { MergedServer } from "./merge.ts";
import type { RouterDestinations } from "./router-destinations.ts";
import { commonHosts } from "./server-hosts.ts";

/** What route tables are made from. */
export interface TableContext {
  readonly book: Pick<RuleBook, "gatheringRoutings">;
  readonly client: Client;
  readonly destinations: RouterDestinations;
  readonly settings: MeshSettings;
}

/** The routes of one VirtualService at one server. */
interface Part {
  /** Equal text, equal routes. */
  readonly key: string;
  /** Equal text, equal matches: of two parts of a host the second is never reached. */
  readonly matches: string;
  readonly routes: readonly RouteInit[];
}

/** Thrown when the routes of a VirtualService cannot be made. The cause says why. Whoever builds tables takes it apart. */
export class RoutesError extends Error {
  /** `VirtualService/<namespace>/<name>`. */
  readonly object: string;

  constructor({ name, namespace }: Pick<Routing, "name" | "namespace">, cause: unknown) {
    super(`the routes of ${namespace}/${name} cannot be made`, { cause });
    this.name = "RoutesError";
    this.object = `VirtualService/${namespace}/${name}`;
  }
}

/** The routes of one host. */
interface Host {
  readonly name: string;
  /** By what they match. */
  readonly parts: Map<string, Part>;
  redirects: boolean;
}

/**
 * One route table of a router. What was encoded stays until the rules or the services behind it change. It is made of what is there when it is
 * built: after a change in the midst of that it is to be built again, which costs little.
 */
export class GatewayTable {
  readonly #name: string;
  readonly #context: TableContext;
  #parts: ReadonlyMap<string, Part> = new Map();
  #encoded: ReadonlyMap<string, Uint8Array> = new Map();
  #destinations: ReadonlySet<string> = new Set();

  constructor(name: string, context: TableContext) {
    this.#name = name;
    this.#context = context;
  }

  /** Hosts to which the routes of the last table lead, in the form that compares. */
  get destinations(): ReadonlySet<string> {
    return this.#destinations;
  }

  /**
   * The table with the virtual hosts of these servers, in steps. Where several VirtualServices have a host at a server, the routes of all are
   * tried in order of precedence, those that take every request last. Without any virtual host it answers 404. Throws when a route cannot be
   * made.
   */
  *building(servers: readonly MergedServer[]): Steps<Resource> {
    const parts = new Map<string, Part>();
    const encoded = new Map<string, Uint8Array>();
    try {
      return yield* this.#table(servers, parts, encoded);
    } finally {
      // Of what was encoded before, only what is in use stays.
      this.#parts = parts;
      if (encoded.size > 0) this.#encoded = encoded;
    }
  }

  *#table(
    servers: readonly MergedServer[],
    parts: Map<string, Part>,
    encoded: Map<string, Uint8Array>,
  ): Steps<Resource> {
    const destinations = new Set<string>();
    const hosts = yield* this.#hosts(servers, parts, destinations);
    this.#destinations = destinations;
    const bytes: Uint8Array[] = [];
    for (const { domains, host, name } of yield* virtualHostsOf(hosts, servers[0]?.port ?? 0)) {
      const key = JSON.stringify([name, domains, host.redirects, ...keysOf(host)]);
      const known = this.#encoded.get(key) ?? encodeHost(name, domains, host);
      encoded.set(key, known);
      bytes.push(known);
      yield;
    }
    return resourceOf(this.#name, encodeRouteConfiguration(this.#name, bytes, true));
  }

  *#hosts(
    servers: readonly MergedServer[],
    parts: Map<string, Part>,
    destinations: Set<string>,
  ): Steps<ReadonlyMap<string, Host>> {
    const { book, client } = this.#context;
    const hosts = new Map<string, Host>();
    const hostOf = (host: string, { port }: MergedServer): Host => {
      const known = hosts.get(host) ?? { name: `${host}:${String(port)}`, parts: new Map(), redirects: false };
      hosts.set(host, known);
      return known;
    };
    for (const merged of servers) {
      const redirects = merged.server.tls?.httpsRedirect === true;
      for (const routing of yield* book.gatheringRoutings(merged.gateway, client)) {
        yield;
        const common = commonHosts(merged.hosts, routing.namespace, routing.hosts);
        if (common.length === 0) continue;
        for (const host of routing.destinations) destinations.add(host.toLowerCase());
        const part = this.#part(routing, merged);
        parts.set(part.key, part);
        if (part.routes.length === 0) continue;
        for (const name of common) {
          const host = hostOf(name, merged);
          if (!host.parts.has(part.matches)) host.parts.set(part.matches, part);
          host.redirects ||= redirects;
        }
      }
      if (redirects) for (const { host } of merged.hosts) hostOf(host, merged).redirects = true;
    }
    return hosts;
  }

  #part(routing: Routing, { gateway, port, server }: MergedServer): Part {
    const { destinations, settings } = this.#context;
    const tls = server.tls !== undefined;
    const { name, namespace, version } = routing;
    const known = routing.destinations.map((host) => destinations.keyOf(host));
    // What a rule asks of the Gateway is in its version: through two Gateways the same routes come once.
    const key = JSON.stringify([port, tls, namespace, name, version, known]);
    const made = this.#parts.get(key);
    if (made !== undefined) return made;
    try {
      const context = { port, destinations, settings, gateway: { names: new Set([gateway]), tls } };
      return { key, matches: JSON.stringify([port, namespace, name, version]), routes: httpRoutes(routing, context) };
    } catch (cause) {
      throw new RoutesError(routing, cause);
    }
  }
}

function keysOf({ parts }: Host): readonly string[] {
  return [...parts.values()].map(({ key }) => key);
}

interface NamedHost {
  readonly name: string;
  readonly domains: readonly string[];
  readonly host: Host;
}

/** Hosts with the same routes share a virtual host, which has the name of the most specific one. Sorted by name. */
function* virtualHostsOf(hosts: ReadonlyMap<string, Host>, port: number): Steps<readonly NamedHost[]> {
  if (hosts.size === 0) {
    const name = `blackhole:${String(port)}`;
    return [{ name, domains: ["*"], host: { name, parts: new Map(), redirects: false } }];
  }
  const found = new Map<string, { name: string; domains: string[]; host: Host }>();
  for (const [domain, host] of [...hosts].sort(([a], [b]) => bySpecificity(a, b))) {
    const key = JSON.stringify([host.redirects, ...keysOf(host)]);
    const same = found.get(key);
    if (same === undefined) found.set(key, { name: host.name, domains: [domain], host });
    else same.domains.push(domain);
    yield;
  }
  return [...found.values()].sort((a, b) => byCodeUnit(a.name, b.name));
}

/** Names before wildcards, long before short. */
function bySpecificity(a: string, b: string): number {
  return Number(a.startsWith("*")) - Number(b.startsWith("*")) || b.length - a.length || byCodeUnit(a, b);
}

function encodeHost(name: string, domains: readonly string[], { parts, redirects }: Host): Uint8Array {
  const routes = catchAllLast([...parts.values()].flatMap((part) => part.routes));
  const host = virtualHost(name, domains, routes);
  return encodeVirtualHost(redirects ? { ...host, requireTls: VirtualHost_TlsRequirementType.ALL } : host);
}
