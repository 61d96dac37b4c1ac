import type { EgressListener, Sidecar } from "@signalbox/istio-objects";
import { parseProtocol } from "@signalbox/model";
import type { Client, RuleBook, Rule } from "@signalbox/traffic";
import type { Flavour } from "./compiled-service.ts";
import type { Directory, Touched } from "./directory.ts";
import type { TranslationFault } from "./translation-fault.ts";
import { ImportedSight } from "./imported-sight.ts";
import type { MeshSettings } from "./mesh.ts";
import type { ListenerStyle } from "./outbound-listeners.ts";
import { OverlayTable, uncovered, type Cover } from "./overlay-table.ts";
import { RouteTable } from "./route-table.ts";
import type { Steps } from "@signalbox/slices";
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
  listeners: Cover;
  tables: Cover;
}

/**
 * Everything that workloads behind a Sidecar with egress listeners get. Its imports cut clusters, assignments, routes and listeners. An egress
 * listener with a port has that port to itself; the one without a port has the others. Made empty.
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
  #isFilled = false;
  /** Counts what changed while `filling` goes on: it may have published it already. */
  #missed = 0;

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
    this.tables = new SharedTables(this.#all, flavour, settings, []);
    this.#ports = egress.filter(hasPort).map((one) => ({
      egress: one,
      number: one.port?.number ?? 0,
      sight: sight([one]),
      listeners: uncovered,
      tables: uncovered,
    }));
    this.#base = scope === undefined ? undefined : new EnvoyScope(this.#rest, settings, scope);
    this.listeners = new OverlayTable(this.#base?.listeners ?? new ResourceTable());
    this.routes = new OverlayTable(this.#base?.routes ?? new ResourceTable());
  }

  /** Puts in everything in sight. What changes meanwhile has to be told to `updating`. */
  *filling(): Steps<undefined> {
    yield* this.tables.filling();
    if (this.#base !== undefined) yield* this.#base.filling();
    let missed: number;
    do {
      missed = this.#missed;
      yield* this.#publishPorts();
    } while (missed !== this.#missed);
    this.#isFilled = true;
    this.settle();
    return undefined;
  }

  get faults(): Iterable<TranslationFault> {
    return [...this.tables.faults, ...(this.#base?.faults ?? []), ...this.#faults.values()];
  }

  *updating(touched: Touched): Steps<undefined> {
    yield* this.tables.updating(this.#all.follow(touched));
    const rest = this.#rest.follow(touched);
    if (this.#base !== undefined) yield* this.#base.updating(rest);
    for (const { sight } of this.#ports) sight.follow(touched);
    if (this.#isFilled) yield* this.#publishPorts();
    else this.#missed++;
    return undefined;
  }

  settle(): void {
    this.tables.settle();
    this.#base?.listeners.settle();
    this.#base?.routes.settle();
    this.listeners.settle();
    this.routes.settle();
  }

  *#publishPorts(): Steps<undefined> {
    if (this.#base === undefined) return undefined;
    for (const port of this.#ports) {
      this.#faults.delete(port.number);
      try {
        yield* this.#publish(port, this.#base);
      } catch (cause) {
        this.#faults.set(port.number, { subject: `port ${String(port.number)}`, cause });
      }
    }
    return undefined;
  }

  *#publish(port: EgressPort, base: EnvoyScope): Steps<undefined> {
    const { number, sight } = port;
    const { settings } = this.#options;
    const options = { ...base.options, style: styleOf(port.egress, base.options.style) };
    const routes = new RouteTable(String(number), options.fallback, true);
    const members: Member[] = [];
    for (const host of [...sight.hosts()]) {
      yield;
      const service = sight.visible(host);
      const found = service?.ports.find((one) => one.port.number === number);
      if (service === undefined || found === undefined) continue;
      const protocol = port.egress.port?.protocol ?? "";
      const asked = protocol === "" ? found : { ...found, port: { ...found.port, protocol: parseProtocol(protocol) } };
      const member = { service, port: asked };
      members.push(member);
      claimRoutes(host, member, sight.aliases(service), options, routes, undefined);
    }
    if (!routes.isEmpty) yield* routes.making();
    const made = portResources(number, members, routes, options.style, settings);
    const group = base.group(number);
    port.listeners = this.listeners.cover(port.listeners, group?.listeners ?? new Set(), made.listeners);
    port.tables = this.routes.cover(port.tables, group?.tables ?? new Set(), made.tables);
    return undefined;
  }
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
