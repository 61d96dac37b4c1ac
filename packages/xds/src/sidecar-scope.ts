import type { EgressListener, Sidecar } from "@signalbox/istio-objects";
import { parseProtocol } from "@signalbox/model";
import type { Client, RuleBook, Rule } from "@signalbox/traffic";
import type { Steps } from "@signalbox/slices";
import type { CompiledService, Flavour } from "./compiled-service.ts";
import type { Directory, Touched } from "./directory.ts";
import type { TranslationFault } from "./translation-fault.ts";
import { ImportedSight } from "./imported-sight.ts";
import type { MeshSettings } from "./mesh.ts";
import type { ListenerStyle } from "./outbound-listeners.ts";
import { OverlayTable, uncovered, type Cover } from "./overlay-table.ts";
import { RouteTable } from "./route-table.ts";
import { claimRoutes, EnvoyScope, portResources, type Member, type Scope, type ScopeOptions } from "./scope.ts";
import { SharedTables } from "./service-tables.ts";
import { ResourceTable } from "./tables.ts";

/** What a scope behind a Sidecar is made from. */
export interface SidecarScopeOptions {
  readonly directory: Directory;
  readonly book: RuleBook;
  readonly client: Client;
  readonly sidecar: Rule<Sidecar>;
  readonly flavour: Flavour;
  readonly settings: MeshSettings;
  /** Undefined for clients that take no listeners. */
  readonly scope: ScopeOptions | undefined;
}

interface EgressPort {
  readonly egress: EgressListener;
  readonly number: number;
  readonly sight: ImportedSight;
  /** Services that have the port, by host. */
  readonly members: Map<string, Member>;
  readonly routes: RouteTable;
  listeners: Cover;
  tables: Cover;
  isDirty: boolean;
}

/**
 * Everything that workloads behind a Sidecar with egress listeners get. Its imports cut clusters, assignments, routes and listeners. An egress
 * listener with a port has that port to itself; the one without a port has the others. Made empty: what is in sight is put in by `filling`.
 */
export class SidecarScope implements Scope {
  readonly tables: SharedTables;
  readonly listeners: OverlayTable;
  readonly routes: OverlayTable;
  readonly #options: SidecarScopeOptions;
  readonly #all: ImportedSight;
  readonly #rest: ImportedSight;
  readonly #base: EnvoyScope | undefined;
  readonly #ports: readonly EgressPort[];
  readonly #faults = new Map<number, TranslationFault>();
  /** Until everything was put in, the ports are left to whoever does that. */
  #isFilling = true;

  constructor(options: SidecarScopeOptions) {
    const { book, client, directory, flavour, scope, settings, sidecar } = options;
    this.#options = options;
    const sight = (listeners: readonly EgressListener[]) =>
      new ImportedSight(
        directory,
        book,
        { ...client },
        listeners.flatMap(({ hosts }) => hosts),
      );
    const { egress } = sidecar.spec;
    this.#all = sight(egress);
    this.#rest = sight(egress.filter((one) => !hasPort(one)));
    this.tables = new SharedTables(this.#all, flavour, settings);
    this.#ports = egress.filter(hasPort).map((one) => ({
      egress: one,
      number: one.port?.number ?? 0,
      sight: sight([one]),
      members: new Map(),
      routes: new RouteTable(String(one.port?.number ?? 0), scope?.fallback ?? "block", true),
      listeners: uncovered,
      tables: uncovered,
      isDirty: true,
    }));
    this.#base = scope === undefined ? undefined : new EnvoyScope(this.#rest, settings, scope);
    this.listeners = new OverlayTable(this.#base?.listeners ?? new ResourceTable());
    this.routes = new OverlayTable(this.#base?.routes ?? new ResourceTable());
  }

  get #sights(): readonly ImportedSight[] {
    return [this.#all, this.#rest, ...this.#ports.map(({ sight }) => sight)];
  }

  /** Puts in everything in sight. What changes meanwhile has to be told to `updating`: whatever comes last for a host reads how it is then. */
  *filling(): Steps<undefined> {
    for (const sight of this.#sights) yield* sight.filling();
    yield* this.tables.filling();
    if (this.#base !== undefined) {
      yield* this.#base.filling();
      for (const port of this.#ports) yield* this.#placeAll(port, port.sight.hosts());
    }
    this.#isFilling = false;
    yield* this.#publishPorts();
    this.settle();
    return undefined;
  }

  get faults(): Iterable<TranslationFault> {
    return [...this.tables.faults, ...(this.#base?.faults ?? []), ...this.#faults.values()];
  }

  /** What came into sight of an egress listener is in sight of all parts of it before any of them is brought up to date. */
  *updating(touched: Touched): Steps<undefined> {
    const seen = new Map<ImportedSight, Touched>();
    for (const sight of this.#sights) seen.set(sight, yield* sight.following(touched));
    const touchedIn = (sight: ImportedSight) => seen.get(sight) ?? touched;
    yield* this.tables.updating(touchedIn(this.#all));
    if (this.#base === undefined) return undefined;
    yield* this.#base.updating(touchedIn(this.#rest));
    for (const port of this.#ports) {
      yield* this.#placeAll(port, touchedIn(port.sight).hosts.keys());
      if (this.#base.dirty.has(port.number)) port.isDirty = true;
    }
    if (!this.#isFilling) yield* this.#publishPorts();
    return undefined;
  }

  settle(): void {
    this.tables.settle();
    this.#base?.listeners.settle();
    this.#base?.routes.settle();
    this.listeners.settle();
    this.routes.settle();
  }

  /** Brings a port to what these hosts are now. */
  *#placeAll(port: EgressPort, hosts: Iterable<string>): Steps<undefined> {
    if (this.#base === undefined) return undefined;
    const { options } = this.#base;
    const portOptions = { ...options, style: styleOf(port.egress, options.style) };
    for (const host of [...hosts]) {
      this.#place(port, host, portOptions);
      yield;
    }
    return undefined;
  }

  #place(port: EgressPort, host: string, options: ScopeOptions): void {
    const { members, routes, sight } = port;
    const before = members.get(host);
    const member = memberOf(sight.visible(host), port);
    if (before === undefined && member === undefined) return;
    port.isDirty = true;
    members.delete(host);
    routes.claim(host, undefined);
    if (member === undefined) return;
    members.set(host, member);
    claimRoutes(host, member, sight.aliases(member.service), options, routes, undefined);
    try {
      routes.prepare(host);
    } catch {
      // Reported when the port is published.
    }
  }

  *#publishPorts(): Steps<undefined> {
    for (const port of this.#base === undefined ? [] : this.#ports) {
      if (!port.isDirty && !this.#faults.has(port.number)) continue;
      this.#faults.delete(port.number);
      try {
        yield* this.#publish(port);
      } catch (cause) {
        this.#faults.set(port.number, { subject: `port ${String(port.number)}`, cause });
      }
      yield;
    }
    return undefined;
  }

  *#publish(port: EgressPort): Steps<undefined> {
    const base = this.#base;
    if (base === undefined) return undefined;
    port.isDirty = false;
    const { number, routes } = port;
    const style = styleOf(port.egress, base.options.style);
    const made = yield* portResources(number, [...port.members.values()], routes, style, this.#options.settings);
    const group = base.group(number);
    port.listeners = this.listeners.cover(port.listeners, group?.listeners ?? none, made.listeners);
    port.tables = this.routes.cover(port.tables, group?.tables ?? none, made.tables);
    return undefined;
  }
}

const none: ReadonlySet<string> = new Set();

/** A service as a member of an egress listener's port, whose protocol is that of the listener where it names one. */
function memberOf(service: CompiledService | undefined, { egress, number }: EgressPort): Member | undefined {
  const found = service?.ports.find(({ port }) => port.number === number);
  if (service === undefined || found === undefined) return undefined;
  const protocol = egress.port?.protocol ?? "";
  if (protocol === "") return { service, port: found };
  return { service, port: { ...found, port: { ...found.port, protocol: parseProtocol(protocol) } } };
}

function hasPort({ port }: EgressListener): boolean {
  return (port?.number ?? 0) > 0;
}

/** A listener that captures nothing binds its port; one that names an address stands there. */
function styleOf({ bind, captureMode }: EgressListener, style: ListenerStyle): ListenerStyle {
  const captured = style.captured && captureMode !== "NONE";
  if (bind === "") return { ...style, captured };
  return { ...style, captured, bindAddress: bind, wildcards: captured ? [bind] : style.wildcards };
}
