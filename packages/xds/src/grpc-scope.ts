import { ListenerSchema } from "@signalbox/envoy-api/envoy/config/listener/v3/listener";
import { RouteConfigurationSchema } from "@signalbox/envoy-api/envoy/config/route/v3/route";
import { precedence } from "@signalbox/model";
import type { Port, Service } from "@signalbox/model";
import type { Steps } from "@signalbox/slices";
import { resourceOf, type Resource } from "@signalbox/xds-server";
import type { CompiledService } from "./compiled-service.ts";
import type { Touched } from "./directory.ts";
import type { TranslationFault } from "./translation-fault.ts";
import { grpcRuleRoutes, injectsFaults } from "./grpc-rules.ts";
import { grpcListener, grpcRoutes } from "./grpc.ts";
import type { MeshSettings } from "./mesh.ts";
import { encoded } from "./messages.ts";
import { outboundCluster, requestNames } from "./names.ts";
import type { RouteInit } from "./routes.ts";
import type { Scope } from "./scope.ts";
import type { Sight } from "./sight.ts";
import { ResourceTable } from "./tables.ts";

interface Claim {
  readonly service: Service;
  /** Is the name the full name of the service, or of an alias of it? */
  readonly full: boolean;
  readonly listener: Resource;
}

/** The routes that rules give each port; undefined where none is for it. */
type RuledPorts = ReadonlyMap<number, readonly RouteInit[] | undefined>;

/** Listeners and routes of proxyless gRPC clients: one listener for each name and port that may be dialled. Made empty. */
export class GrpcScope implements Scope {
  readonly listeners = new ResourceTable();
  readonly routes = new ResourceTable();
  readonly #sight: Sight;
  readonly #dnsDomain: string;
  readonly #settings: MeshSettings;
  /** Who wants a listener's name, by host. */
  readonly #claims = new Map<string, Map<string, Claim>>();
  readonly #faults = new Map<string, TranslationFault>();
  readonly #held = new Map<string, { names: ReadonlySet<string>; routes: ReadonlySet<string> }>();

  constructor(sight: Sight, dnsDomain: string, settings: MeshSettings) {
    this.#sight = sight;
    this.#dnsDomain = dnsDomain;
    this.#settings = settings;
  }

  /** Puts in everything in sight. What changes meanwhile has to be told to `updating`. */
  *filling(): Steps<undefined> {
    for (const host of [...this.#sight.hosts()]) {
      this.#try(host);
      yield;
    }
    this.settle();
    return undefined;
  }

  get faults(): Iterable<TranslationFault> {
    return this.#faults.values();
  }

  *updating({ hosts }: Touched): Steps<undefined> {
    const due = new Set(this.#faults.keys());
    for (const [host, touch] of hosts) if (touch === "service") due.add(host);
    for (const host of due) {
      this.#try(host);
      yield;
    }
    return undefined;
  }

  settle(): void {
    this.listeners.settle();
    this.routes.settle();
  }

  #try(host: string): void {
    this.#faults.delete(host);
    try {
      this.#update(host);
    } catch (cause) {
      this.#faults.set(host, { subject: host, cause });
    }
  }

  #update(host: string): void {
    const seen = this.#sight.visible(host);
    // A host without clusters has nothing that a gRPC client could dial.
    const service = seen?.rules?.bare === true ? undefined : seen;
    const ruled = new Map(
      service?.ports.map(({ port: { number }, service: own }) => [
        number,
        grpcRuleRoutes(own, service.rules, number, this.#settings),
      ]),
    );
    const claims = service === undefined ? new Map<string, Claim>() : this.#wanted(service, ruled);
    const routes = service?.ports.map(({ port }) => routeResource(service, port, ruled.get(port.number))) ?? [];
    const before = this.#held.get(host) ?? { names: new Set<string>(), routes: new Set<string>() };
    for (const name of before.names) this.#claims.get(name)?.delete(host);
    for (const [name, claim] of claims) {
      const others = this.#claims.get(name);
      if (others === undefined) this.#claims.set(name, new Map([[host, claim]]));
      else others.set(host, claim);
    }
    for (const name of new Set([...before.names, ...claims.keys()])) this.#settle(name);
    const held = { names: new Set(claims.keys()), routes: this.routes.replace(before.routes, routes) };
    if (service === undefined) this.#held.delete(host);
    else this.#held.set(host, held);
  }

  #wanted(service: CompiledService, ruled: RuledPorts): Map<string, Claim> {
    const wanted = new Map<string, Claim>();
    const { hostname } = service.entry.service;
    for (const host of [hostname, ...this.#sight.aliases(service)]) {
      for (const [index, name] of requestNames(host, this.#dnsDomain).entries()) {
        for (const { port } of service.ports) {
          const target = `${name}:${String(port.number)}`;
          const listener = grpcListener(
            target,
            outboundCluster(port.number, hostname),
            injectsFaults(ruled.get(port.number) ?? []),
          );
          wanted.set(target, {
            service: service.entry.service,
            full: index === 0,
            listener: resourceOf(target, encoded(ListenerSchema, listener)),
          });
        }
      }
    }
    return wanted;
  }

  /** A name that several services want goes to the one whose full name it is, then to the oldest. */
  #settle(name: string): void {
    const [winner] = [...(this.#claims.get(name)?.values() ?? [])].sort(
      (a, b) => Number(b.full) - Number(a.full) || precedence(a.service, b.service),
    );
    if (winner === undefined) {
      this.#claims.delete(name);
      this.listeners.remove(name);
    } else this.listeners.put(winner.listener);
  }
}

function routeResource(service: CompiledService, port: Port, routes: readonly RouteInit[] | undefined): Resource {
  const table = grpcRoutes(service.entry.service, port, routes);
  return resourceOf(table.name, encoded(RouteConfigurationSchema, table));
}
