import type { Gateway } from "@signalbox/istio-objects";
import { byCodeUnit } from "@signalbox/model";
import { atOnce, type Steps } from "@signalbox/slices";
import type { Client, Rule, RuleBook } from "@signalbox/traffic";
import { resourceOf } from "@signalbox/xds-server";
import type { CompiledService } from "../compiled-service.ts";
import type { Touched } from "../directory.ts";
import type { TranslationFault } from "../translation-fault.ts";
import type { MeshSettings } from "../mesh.ts";
import type { Scope } from "../scope.ts";
import type { Sight } from "../sight.ts";
import { ResourceTable } from "../tables.ts";
import { encodingGatewayListener, listenerName, type RouterStyle, type ServerRules } from "./gateway-listener.ts";
import { GatewayTable, RoutesError, type TableContext } from "./gateway-table.ts";
import {
  isAuto,
  mergeGateways,
  type ListenPort,
  type MergedServer,
  type RejectedServer,
  type TargetPorts,
} from "./merge.ts";
import { RouterDestinations } from "./router-destinations.ts";
import { hostNames } from "./server-hosts.ts";
import { gatheringRoutingsAt, tcpTarget, tlsTargets } from "./server-rules.ts";
import { isPassedTo, sniClusters, sniNames } from "./sni-clusters.ts";

/** What the scope of a router is made from. */
export interface RouterScopeOptions {
  readonly book: Pick<RuleBook, "destination" | "gateways" | "gatheringRoutings">;
  readonly client: Client;
  readonly sight: Pick<Sight, "hosts" | "visible">;
  /** The service that the router reaches by a name, for an alias the one that it stands for. What the sight shows where absent. */
  readonly find?: (host: string) => CompiledService | undefined;
  readonly settings: MeshSettings;
  readonly targetPorts: TargetPorts;
  readonly style: RouterStyle;
}

/** A listener or a route table with what it was made of. */
interface Made {
  readonly servers: readonly MergedServer[];
  readonly destinations: ReadonlySet<string>;
}

/** What a listener and the servers behind it are put together from. */
type Listeners = ReadonlyMap<string, ListenPort>;

/** What has to be made anew. */
interface Due {
  readonly tables: Set<string>;
  readonly listeners: Set<string>;
}

const noServers: readonly MergedServer[] = [];

/** So often is made again in steps what changes touch while everything is put in. */
const maximumRounds = 3;

/**
 * Listeners, route tables and AUTO_PASSTHROUGH clusters of routers that equal Gateways select. A change rebuilds the listeners and tables
 * whose servers, routes or destinations it touches; what cannot be built stays as it was and is a fault. Made empty: everything is put in by
 * `filling`.
 */
export class RouterScope implements Scope {
  readonly listeners = new ResourceTable();
  readonly routes = new ResourceTable();
  /** Clusters behind AUTO_PASSTHROUGH, beside those that the router has as every client has them. Their endpoints are those of the others. */
  readonly clusters = new ResourceTable();
  readonly #options: RouterScopeOptions;
  readonly #context: TableContext;
  readonly #rules: ServerRules;
  readonly #tables = new Map<string, { readonly table: GatewayTable; made: Made }>();
  readonly #ports = new Map<string, Made>();
  readonly #faults = new Map<string, TranslationFault>();
  readonly #passed = new Map<string, ReadonlySet<string>>();
  #gateways: readonly Rule<Gateway>[] = [];
  #listen: Listeners = new Map();
  #served: ReadonlyMap<string, readonly MergedServer[]> = new Map();
  #passedHosts: readonly string[] = [];
  #rejected: readonly TranslationFault[] = [];
  readonly #due: Due = { tables: new Set(), listeners: new Set() };
  /** What is being made now, of a state that may be older than the newest. */
  #underWay = "";
  /** Until everything was put in, what changes is left to whoever does that. */
  #isFilling = true;

  constructor(options: RouterScopeOptions) {
    const { book, client, settings, sight } = options;
    const find = options.find ?? ((host: string) => sight.visible(host));
    this.#options = options;
    this.#context = { book, client, settings, destinations: new RouterDestinations(find, book, client) };
    this.#rules = {
      tcp: (server) => tcpTarget(server, this.#context),
      tls: (server) => tlsTargets(server, this.#context),
      passed: (server) => this.#passedBy(server),
      dynamicDns: (table) => this.#dynamicDns(table),
    };
  }

  /** Puts everything in. What changes meanwhile has to be told to `updating`: what it touches is made again here, at last in one step. */
  *filling(): Steps<undefined> {
    this.#merge();
    yield* this.#pass(this.#options.sight.hosts());
    this.#mark(() => true);
    for (let round = 0; this.#isDue; round++) {
      if (round < maximumRounds) yield* this.#publish();
      else atOnce(this.#publish());
    }
    this.#isFilling = false;
    this.settle();
    return undefined;
  }

  get faults(): Iterable<TranslationFault> {
    return [...this.#faults.values(), ...this.#rejected];
  }

  /** Between two steps some clusters, tables and listeners are as they were, and others as they are now. */
  *updating({ hosts, rules }: Touched): Steps<undefined> {
    const changed = new Set([...hosts].flatMap(([host, touch]) => (touch === "service" ? [host] : [])));
    const passedBefore = this.#passedHosts;
    this.#merge();
    const moved = passedBefore.join(" ") !== this.#passedHosts.join(" ");
    // What was touched may be in sight no more.
    const passing = yield* this.#pass(moved ? [...this.#options.sight.hosts(), ...hosts.keys()] : hosts.keys());
    this.#mark(
      ({ destinations, servers }) =>
        servers.some((merged) => rules.gateways.has(merged.gateway) || (passing && isAuto(merged))) ||
        [...destinations].some((host) => changed.has(host)),
    );
    if (!this.#isFilling) yield* this.#publish();
    return undefined;
  }

  settle(): void {
    this.listeners.settle();
    this.routes.settle();
    this.clusters.settle();
  }

  #merge(): void {
    const { book, client, style, targetPorts } = this.#options;
    const gateways = book.gateways(client);
    if (gateways === this.#gateways) return;
    this.#gateways = gateways;
    const merged = mergeGateways(gateways, targetPorts);
    const listen = new Map<string, ListenPort>();
    // One server may name the address that is another's default.
    for (const port of merged.ports) {
      const name = listenerName(port, style);
      const servers = listen.get(name)?.servers ?? noServers;
      listen.set(name, { ...port, servers: [...servers, ...port.servers] });
    }
    this.#listen = listen;
    this.#served = merged.tables;
    this.#rejected = rejections(merged.rejected);
    const auto = merged.ports.flatMap(({ servers }) => servers).filter(isAuto);
    this.#passedHosts = hostNames(auto.flatMap(({ hosts }) => hosts));
  }

  /** Brings the clusters behind AUTO_PASSTHROUGH to what these hosts are now. Says whether any came or went. */
  *#pass(hosts: Iterable<string>): Steps<boolean> {
    if (this.#passedHosts.length === 0 && this.#passed.size === 0) return false;
    let moved = false;
    for (const host of new Set([...hosts, ...(this.#passedHosts.length === 0 ? this.#passed.keys() : [])])) {
      const before = this.#passed.get(host) ?? new Set<string>();
      const service = this.#options.sight.visible(host);
      const seen = service !== undefined && isPassedTo(service, this.#passedHosts);
      try {
        const names = this.clusters.replace(before, seen ? sniClusters(service) : []);
        moved ||= [...before].sort(byCodeUnit).join(" ") !== [...names].sort(byCodeUnit).join(" ");
        if (names.size === 0) this.#passed.delete(host);
        else this.#passed.set(host, names);
        this.#faults.delete(`passed ${host}`);
      } catch (cause) {
        this.#faults.set(`passed ${host}`, { subject: `clusters of ${host} for AUTO_PASSTHROUGH`, cause });
      }
      yield;
    }
    return moved;
  }

  /** Removes what is served no more, and notes what is due: what is new, what has other servers, what failed before, and what is touched. */
  #mark(isTouched: (made: Made) => boolean): void {
    for (const name of this.#tables.keys()) {
      if (this.#served.has(name)) continue;
      this.#tables.delete(name);
      this.#faults.delete(`table ${name}`);
      this.routes.remove(name);
    }
    for (const name of this.#ports.keys()) {
      if (this.#listen.has(name)) continue;
      this.#ports.delete(name);
      this.#faults.delete(`listener ${name}`);
      this.listeners.remove(name);
    }
    const isDue = (fault: string, made: Made | undefined, servers: readonly MergedServer[]) =>
      made === undefined ||
      this.#faults.has(fault) ||
      this.#underWay === fault ||
      !sameServers(made.servers, servers) ||
      isTouched(made);
    for (const [name, servers] of this.#served)
      if (isDue(`table ${name}`, this.#tables.get(name)?.made, servers)) this.#due.tables.add(name);
    for (const [name, { servers }] of this.#listen)
      if (isDue(`listener ${name}`, this.#ports.get(name), servers)) this.#due.listeners.add(name);
  }

  get #isDue(): boolean {
    return this.#due.tables.size + this.#due.listeners.size > 0;
  }

  /** Makes what is due now; what becomes due meanwhile stays so. Listeners read which destinations the tables have, so no table may be due then. */
  *#publish(): Steps<undefined> {
    const { listeners, tables } = this.#due;
    for (const name of [...tables]) {
      tables.delete(name);
      this.#underWay = `table ${name}`;
      yield* this.#publishTable(name);
    }
    for (const name of [...listeners]) {
      if (tables.size > 0) break;
      listeners.delete(name);
      this.#underWay = `listener ${name}`;
      yield* this.#publishListener(name);
    }
    this.#underWay = "";
    return undefined;
  }

  *#publishTable(name: string): Steps<undefined> {
    const servers = this.#served.get(name);
    if (servers === undefined) return undefined;
    const table = this.#tables.get(name)?.table ?? new GatewayTable(name, this.#context);
    this.#tables.set(name, { table, made: { servers, destinations: table.destinations } });
    yield* this.#attempt(`table ${name}`, `route table ${name}`, servers, function* building(scope) {
      const resource = yield* table.building(servers);
      // It may be served no more.
      if (scope.#tables.get(name)?.table === table) scope.routes.put(resource);
      return undefined;
    });
    if (this.#tables.get(name)?.table === table)
      this.#tables.set(name, { table, made: { servers, destinations: table.destinations } });
    else this.#faults.delete(`table ${name}`);
    return undefined;
  }

  *#publishListener(name: string): Steps<undefined> {
    const port = this.#listen.get(name);
    if (port === undefined) return undefined;
    const { servers } = port;
    this.#ports.set(name, { servers, destinations: this.#ports.get(name)?.destinations ?? new Set() });
    yield* this.#attempt(`listener ${name}`, `listener ${name}`, servers, function* building(scope) {
      const destinations = yield* scope.#destinationsAt(servers);
      if (!scope.#ports.has(name)) return undefined;
      scope.#ports.set(name, { servers, destinations });
      const bytes = yield* encodingGatewayListener(port, scope.#options.style, scope.#rules);
      // Nobody may listen there any more.
      if (bytes === undefined || !scope.#ports.has(name)) scope.listeners.remove(name);
      else scope.listeners.put(resourceOf(name, bytes));
      return undefined;
    });
    if (!this.#ports.has(name)) this.#faults.delete(`listener ${name}`);
    return undefined;
  }

  *#attempt(
    fault: string,
    subject: string,
    servers: readonly MergedServer[],
    making: (scope: this) => Steps<undefined>,
  ): Steps<undefined> {
    this.#faults.delete(fault);
    try {
      yield* making(this);
    } catch (error) {
      const routes = error instanceof RoutesError ? error : undefined;
      const gateways = [...new Set(servers.map(({ gateway }) => `Gateway/${gateway}`))];
      const objects = routes === undefined ? gateways : [routes.object];
      this.#faults.set(fault, { subject, cause: routes === undefined ? error : routes.cause, objects });
    }
    return undefined;
  }

  /** Hosts on which a listener depends: by rules for connections, and by names that its HTTP filters have to look up. */
  *#destinationsAt(servers: readonly MergedServer[]): Steps<ReadonlySet<string>> {
    const found = new Set<string>();
    for (const server of servers) {
      if (isAuto(server)) continue;
      for (const { destinations } of yield* gatheringRoutingsAt(server, this.#context))
        for (const host of destinations) found.add(host.toLowerCase());
    }
    return found;
  }

  *#passedBy({ hosts }: MergedServer): Iterable<string> {
    const names = hostNames(hosts);
    for (const host of [...this.#passed.keys()].sort(byCodeUnit)) {
      const service = this.#options.sight.visible(host);
      if (service !== undefined && isPassedTo(service, names)) yield* sniNames(service);
    }
  }

  #dynamicDns(table: string): readonly string[] {
    const { destinations } = this.#context;
    const hosts = [...(this.#tables.get(table)?.made.destinations ?? [])].sort(byCodeUnit);
    return hosts.flatMap((host) => destinations.dynamicDns(host));
  }
}

/** What each Gateway lost to others; it goes on with its other servers. */
function rejections(rejected: readonly RejectedServer[]): readonly TranslationFault[] {
  const lost = new Map<string, string[]>();
  for (const { gateway, index, reason } of rejected) {
    const text = `servers[${String(index)}] is left out: ${obstacles[reason]}`;
    lost.set(gateway, [...(lost.get(gateway) ?? []), text]);
  }
  return [...lost].map(([gateway, texts]) => ({
    subject: `Gateway ${gateway}`,
    cause: new Error(texts.join("; ")),
    objects: [`Gateway/${gateway}`],
    yielded: true,
  }));
}

const obstacles: Readonly<Record<RejectedServer["reason"], string>> = {
  "no port": "it has no port",
  "hosts of another server": "an earlier server with TLS has one of its hosts at this port",
  "protocol of another server": "an earlier server speaks another protocol at this port",
  "port name of another server": "an earlier server has its port number and name",
};

/** The same servers, read from the same objects, in the same order. */
function sameServers(before: readonly MergedServer[], after: readonly MergedServer[]): boolean {
  return (
    before.length === after.length &&
    before.every(({ gateway, server }, index) => {
      const other = after[index];
      return other !== undefined && other.server === server && other.gateway === gateway;
    })
  );
}
