import { fromBinary, toJson } from "@bufbuild/protobuf";
import { anyRegistry } from "@signalbox/envoy-api";
import { ListenerSchema } from "@signalbox/envoy-api/envoy/config/listener/v3/listener";
import { RouteConfigurationSchema } from "@signalbox/envoy-api/envoy/config/route/v3/route";
import { objectKey, registryId, serviceKey, type ConfigObject } from "@signalbox/model";
import { atOnce, type Steps } from "@signalbox/slices";
import { createRuleBook, type Client, type RuleBook } from "@signalbox/traffic";
import { Directory } from "../../directory.ts";
import { meshSettings } from "../../mesh.ts";
import { entryOf, type ServiceSketch } from "../../testing/catalog.ts";
import type { TargetPorts } from "../merge.ts";
import { RouterScope } from "../router-scope.ts";

/** An object of a kind, named `<namespace>/<name>`; `at` is its age in seconds. */
export function object(kind: string, name: string, spec: object, at?: number): ConfigObject {
  const [namespace = "", short = ""] = name.split("/");
  const provenance = { registry: registryId("static", "test"), object: `${kind} ${name}` };
  const base = { kind, namespace, name: short, labels: {}, annotations: {}, spec, provenance };
  return at === undefined ? base : { ...base, createdAt: at * 1000 };
}

/** A Gateway for the routers of these tests. Servers whose port names are the same get others, as they must. */
export function gateway(name: string, ...servers: readonly Server[]): ConfigObject {
  const seen = new Set<string>();
  const named = servers.map((one, index) => {
    const own = seen.has(one.port.name) ? `${one.port.name}-${String(index)}` : one.port.name;
    seen.add(own);
    return { ...one, port: { ...one.port, name: own } };
  });
  return object("Gateway", name, { selector: { app: "edge" }, servers: named });
}

/** A server as JSON. */
export interface Server {
  readonly port: { readonly number: number; readonly protocol: string; readonly name: string };
  readonly hosts: readonly string[];
}

/** A server of a Gateway: `HTTP 80`, hosts, and what else it says. */
export function server(port: string, hosts: readonly string[], more: Json = {}): Server {
  const [protocol = "", number = ""] = port.split(" ");
  const { name: given, ...rest } = more;
  const name = typeof given === "string" ? given : protocol.toLowerCase();
  return { port: { number: Number(number), protocol, name }, hosts, ...rest };
}

/** An HTTP rule: requests below a path go to a host. */
export function below(prefix: string, host: string): object {
  return { match: [{ uri: { prefix } }], route: [{ destination: { host, port: { number: 80 } } }] };
}

/** The router of these tests. */
export const edge: Client = {
  namespace: "edge",
  labels: { app: "edge" },
  locality: { region: "", zone: "", subzone: "" },
  kind: "router",
};

/** What the world of a router is made of. */
export interface WorldOptions {
  readonly services?: readonly ServiceSketch[];
  readonly targetPorts?: TargetPorts;
  readonly privileged?: boolean;
  /** Stands between the router and the rules. */
  readonly spoil?: (book: RuleBook) => RuleBook;
}

/** Rules and services with a router that follows them. */
export class World {
  readonly book = createRuleBook();
  readonly directory = new Directory(meshSettings({}), this.book);
  readonly #options: WorldOptions;
  scope: RouterScope;
  /** What the last change changed. */
  changed: Readonly<Record<"listeners" | "routes", ReadonlySet<string>>> = { listeners: new Set(), routes: new Set() };

  constructor(objects: readonly ConfigObject[], options: WorldOptions = {}) {
    this.#options = options;
    this.#apply(objects, [], options.services ?? [], []);
    this.scope = this.fresh();
  }

  /** A scope made now, of the same rules and services. */
  fresh(): RouterScope {
    const scope = this.empty();
    atOnce(scope.filling());
    return scope;
  }

  /** A scope in which nothing is yet. */
  empty(): RouterScope {
    const {
      privileged = true,
      spoil = (book: RuleBook) => book,
      targetPorts = new Map<number, number>(),
    } = this.#options;
    return new RouterScope({
      book: spoil(this.book),
      client: edge,
      sight: this.directory.sight(edge),
      settings: meshSettings({}),
      targetPorts,
      style: { wildcards: ["0.0.0.0"], privileged },
    });
  }

  /** Takes in objects and services that came or changed, and forgets others. */
  change(
    objects: readonly ConfigObject[],
    gone: readonly ConfigObject[] = [],
    services: readonly ServiceSketch[] = [],
    goneServices: readonly ServiceSketch[] = [],
  ): void {
    atOnce(this.changing(objects, gone, services, goneServices));
    const { listeners, routes } = this.scope;
    this.changed = { listeners: listeners.changed, routes: routes.changed };
    this.scope.settle();
  }

  /** The same for the rules and services at once, and for the scope in steps. Nothing is shown. */
  *changing(
    objects: readonly ConfigObject[],
    gone: readonly ConfigObject[],
    services: readonly ServiceSketch[],
    goneServices: readonly ServiceSketch[],
  ): Steps<undefined> {
    return yield* this.scope.updating(this.#apply(objects, gone, services, goneServices));
  }

  #apply(
    objects: readonly ConfigObject[],
    gone: readonly ConfigObject[],
    services: readonly ServiceSketch[],
    goneServices: readonly ServiceSketch[],
  ) {
    const rules = this.book.apply({ upserted: objects, removed: gone.map(objectKey) });
    const removed = goneServices.map((sketch) => serviceKey(entryOf(sketch).service));
    return atOnce(this.directory.applying({ upserted: services.map(entryOf), removed }, rules));
  }
}

/** The listeners of a router as JSON, by name. */
export function listenersOf({ listeners }: RouterScope): Readonly<Record<string, Json>> {
  const entries = [...listeners.resources].map(([name, { bytes }]) => [
    name,
    toJson(ListenerSchema, fromBinary(ListenerSchema, bytes), { registry: anyRegistry }) as Json,
  ]);
  return Object.fromEntries(entries) as Record<string, Json>;
}

/** The route tables of a router as JSON, by name. */
export function tablesOf({ routes }: RouterScope): Readonly<Record<string, Json>> {
  const entries = [...routes.resources].map(([name, { bytes }]) => [
    name,
    toJson(RouteConfigurationSchema, fromBinary(RouteConfigurationSchema, bytes), { registry: anyRegistry }) as Json,
  ]);
  return Object.fromEntries(entries) as Record<string, Json>;
}

/** A message as JSON. */
export type Json = Readonly<Record<string, unknown>>;

/** A table in few words: virtual host → its domains, and for each route its path and where it leads. */
export function routesOf(scope: RouterScope, table: string): Readonly<Record<string, readonly string[]>> {
  const hosts = (tablesOf(scope)[table]?.["virtualHosts"] ?? []) as readonly VirtualHost[];
  return Object.fromEntries(
    hosts.map(({ domains, name, requireTls, routes = [] }) => [
      `${name} (${domains.join(" ")})${requireTls === undefined ? "" : ` TLS ${requireTls}`}`,
      routes.map(({ match, route }) => `${match.prefix ?? JSON.stringify(match)} ${route?.cluster ?? "-"}`),
    ]),
  );
}

interface VirtualHost {
  readonly name: string;
  readonly domains: readonly string[];
  readonly requireTls?: string;
  readonly routes?: readonly {
    readonly match: { readonly prefix?: string };
    readonly route?: { readonly cluster?: string };
  }[];
}

/** A listener in few words: for each chain its names and ALPN, whether it ends TLS, and what it does. */
export function chainsOf(scope: RouterScope, listener: string): readonly string[] {
  const chains = (listenersOf(scope)[listener]?.["filterChains"] ?? []) as readonly FilterChain[];
  return chains.map(({ filterChainMatch: match, filters, transportSocket }) => {
    const { cluster, rds, weightedClusters } = filters[0].typedConfig;
    const names = [...(match?.serverNames ?? []), ...(match?.applicationProtocols ?? [])].join(",") || "any";
    const does =
      rds === undefined
        ? `to ${cluster ?? (weightedClusters?.clusters ?? []).map(({ name, weight }) => `${name}*${String(weight)}`).join("+")}`
        : `http ${rds.routeConfigName}`;
    return `${names}${transportSocket === undefined ? "" : " TLS"}: ${does}`;
  });
}

interface FilterChain {
  readonly filterChainMatch?: {
    readonly serverNames?: readonly string[];
    readonly applicationProtocols?: readonly string[];
  };
  readonly transportSocket?: unknown;
  readonly filters: readonly [
    {
      readonly typedConfig: {
        readonly cluster?: string;
        readonly rds?: { readonly routeConfigName: string };
        readonly weightedClusters?: {
          readonly clusters: readonly { readonly name: string; readonly weight: number }[];
        };
      };
    },
  ];
}
