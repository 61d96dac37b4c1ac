import type { HttpRoute, TcpRoute, TlsRoute } from "@signalbox/istio-objects";
import { canonicalJson, contentHash, type Labels } from "@signalbox/model";
import type { Client } from "../client.ts";
import { meshGateway } from "../host-name.ts";
import type { Routing } from "../host-rules.ts";
import { selects } from "../labels.ts";
import { destinationsOf, type ResolvedVirtualService } from "./resolve.ts";

interface Source {
  readonly gateways: readonly string[];
  readonly sourceLabels: Labels;
  readonly sourceNamespace: string;
}

/** Clients with these labels, in this namespace if one is named. */
interface Condition {
  readonly labels: Labels;
  readonly namespace: string;
}

type Fit = "always" | "never" | Condition;

/**
 * The routes of one VirtualService as clients get them through one gateway (`mesh` for calls within the mesh). What matches ask of the
 * source is decided here; the routes that leave have matches without sources and gateways.
 */
export class RoutesBySource {
  readonly #resolved: ResolvedVirtualService;
  readonly #gateway: string;
  readonly #conditions = new Map<string, Condition>();
  /** By which conditions hold. */
  readonly #routings = new Map<string, Routing | undefined>();
  readonly #byVersion = new Map<string, Routing>();

  constructor(resolved: ResolvedVirtualService, gateway: string) {
    this.#resolved = resolved;
    this.#gateway = gateway;
    const note = (fit: Fit) => {
      if (typeof fit === "object") this.#conditions.set(canonicalJson(fit), fit);
    };
    for (const { match } of resolved.http) for (const source of match) note(this.#httpFit(source));
    for (const { match } of [...resolved.tls, ...resolved.tcp])
      for (const source of match) note(this.#layer4Fit(source));
  }

  /** Whether every client gets the same routes. */
  get unconditional(): boolean {
    return this.#conditions.size === 0;
  }

  /** Sets of labels that decide what clients of a namespace get. */
  selectors(namespace: string): readonly Labels[] {
    return [...this.#conditions.values()].flatMap((one) =>
      Object.keys(one.labels).length > 0 && (one.namespace === "" || one.namespace === namespace) ? [one.labels] : [],
    );
  }

  /** What decides, as one text. */
  get terms(): string {
    return [...this.#conditions.keys()].sort().join();
  }

  /** What this client gets; undefined where no route is left. */
  routing(client: Client): Routing | undefined {
    let profile = "";
    for (const condition of this.#conditions.values()) profile += holds(condition, client) ? "1" : "0";
    if (!this.#routings.has(profile)) this.#routings.set(profile, this.#same(this.#make(profile)));
    return this.#routings.get(profile);
  }

  #make(profile: string): Routing | undefined {
    const held = new Set([...this.#conditions.keys()].filter((_, index) => profile[index] === "1"));
    const fits = (fit: Fit) => (typeof fit === "object" ? held.has(canonicalJson(fit)) : fit === "always");
    const http = left<HttpRoute["match"][number], HttpRoute>(this.#resolved.http, (one) => fits(this.#httpFit(one)));
    const layer4 = (one: Source) => fits(this.#layer4Fit(one));
    const tls = left<TlsRoute["match"][number], TlsRoute>(this.#resolved.tls, layer4);
    const tcp = left<TcpRoute["match"][number], TcpRoute>(this.#resolved.tcp, layer4);
    if (http.length + tls.length + tcp.length === 0) return undefined;
    const { namespace, name, hosts } = this.#resolved;
    return routingOf({ namespace, name, hosts, http, tls, tcp });
  }

  #same(routing: Routing | undefined): Routing | undefined {
    if (routing === undefined) return undefined;
    const known = this.#byVersion.get(routing.version);
    if (known !== undefined) return known;
    this.#byVersion.set(routing.version, routing);
    return routing;
  }

  /** A match of an HTTP route that names gateways asks for nothing else of the source. */
  #httpFit(source: Source): Fit {
    if (source.gateways.length > 0) return source.gateways.includes(this.#gateway) ? "always" : "never";
    return fitOf(source);
  }

  /** Gateways do not look at the source of connections. */
  #layer4Fit(source: Source): Fit {
    if (source.gateways.length > 0 && !source.gateways.includes(this.#gateway)) return "never";
    return this.#gateway === meshGateway ? fitOf(source) : "always";
  }
}

/** A routing with what follows from its routes. */
export function routingOf(says: Omit<Routing, "destinations" | "version">): Routing {
  return { ...says, destinations: destinationsOf(says), version: contentHash(says) };
}

function fitOf({ sourceLabels, sourceNamespace }: Source): Fit {
  if (sourceNamespace === "" && Object.keys(sourceLabels).length === 0) return "always";
  return { labels: sourceLabels, namespace: sourceNamespace };
}

function holds({ labels, namespace }: Condition, client: Client): boolean {
  return (namespace === "" || namespace === client.namespace) && selects(labels, client.labels);
}

/** The routes with the matches that fit. A route that has matches of which none fits is left out. */
function left<M extends Source, R extends { readonly match: readonly M[] }>(
  routes: readonly R[],
  fits: (match: M) => boolean,
): readonly R[] {
  return routes.flatMap((route) => {
    if (route.match.length === 0) return [route];
    const match = route.match.filter(fits);
    return match.length === 0
      ? []
      : [{ ...route, match: match.map((one) => ({ ...one, gateways: [], sourceLabels: {}, sourceNamespace: "" })) }];
  });
}
