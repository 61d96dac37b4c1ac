import { RouteConfigurationSchema } from "@signalbox/envoy-api/envoy/config/route/v3/route";
import { precedence } from "@signalbox/model";
import type { Port, Service } from "@signalbox/model";
import type { Steps } from "@signalbox/slices";
import { resourceOf, type Resource } from "@signalbox/xds-server";
import type { CompiledService } from "./compiled-service.ts";
import type { Touched } from "./directory.ts";
import { encodeGrpcListener, encodeGrpcRoutes } from "./grpc-encoding.ts";
import { grpcRuleRoutes, injectsFaults } from "./grpc-rules.ts";
import { grpcRoutes } from "./grpc.ts";
import type { MeshSettings } from "./mesh.ts";
import { encoded } from "./messages.ts";
import { outboundCluster, requestNames } from "./names.ts";
import type { RouteInit } from "./routes.ts";
import type { Scope } from "./scope.ts";
import type { Sight } from "./sight.ts";
import { ResourceTable } from "./tables.ts";
import type { TranslationFault } from "./translation-fault.ts";

/** The wish of a host for a listener's name. */
interface Claim {
  readonly host: string;
  readonly service: Service;
  /** Is the name the full name of the service, or of an alias of it? */
  readonly full: boolean;
  readonly listener: Resource;
}

/** What a host has in the tables, or would have but for others. */
interface Held {
  readonly names: ReadonlySet<string>;
  readonly routes: ReadonlySet<string>;
}

/** The routes that rules give each port; undefined where none is for it. */
type RuledPorts = ReadonlyMap<number, readonly RouteInit[] | undefined>;

const nothing: Held = { names: new Set(), routes: new Set() };

/**
 * Listeners and routes of proxyless gRPC clients: one listener for each name and port that may be dialled. Made empty: what is in sight is put
 * in by `filling`.
 */
export class GrpcScope implements Scope {
  readonly listeners = new ResourceTable();
  readonly routes = new ResourceTable();
  readonly #sight: Sight;
  readonly #dnsDomain: string;
  readonly #settings: MeshSettings;
  /** Who wants a listener's name. */
  readonly #claims = new Map<string, readonly Claim[]>();
  readonly #faults = new Map<string, TranslationFault>();
  readonly #held = new Map<string, Held>();

  constructor(sight: Sight, dnsDomain: string, settings: MeshSettings) {
    this.#sight = sight;
    this.#dnsDomain = dnsDomain;
    this.#settings = settings;
  }

  /** Puts in everything in sight. What changes meanwhile has to be told to `updating`: whatever comes last for a host reads how it is then. */
  *filling(): Steps<undefined> {
    yield* this.#tryAll([...this.#sight.hosts()]);
    this.settle();
    return undefined;
  }

  get faults(): Iterable<TranslationFault> {
    return this.#faults.values();
  }

  /** Between two steps each host is as it was or as it is now, its listeners and routes alike. */
  *updating({ hosts }: Touched): Steps<undefined> {
    const due = new Set(this.#faults.keys());
    for (const [host, touch] of hosts) if (touch === "service") due.add(host);
    return yield* this.#tryAll(due);
  }

  settle(): void {
    this.listeners.settle();
    this.routes.settle();
  }

  *#tryAll(hosts: Iterable<string>): Steps<undefined> {
    for (const host of hosts) {
      this.#faults.delete(host);
      try {
        this.#update(host);
      } catch (cause) {
        this.#faults.set(host, { subject: host, cause });
      }
      yield;
    }
    return undefined;
  }

  #update(host: string): void {
    const seen = this.#sight.visible(host);
    // A host without clusters has nothing that a gRPC client could dial.
    const service = seen?.rules?.bare === true ? undefined : seen;
    const before = this.#held.get(host) ?? nothing;
    if (service === undefined) {
      for (const name of before.names) this.#claim(name, host, undefined);
      this.routes.replace(before.routes, []);
      this.#held.delete(host);
      return;
    }
    const ruled = this.#ruledPorts(service);
    const claims = this.#wanted(host, service, ruled);
    const routes = service.ports.map(({ port }) => routeResource(service, port, ruled?.get(port.number)));
    for (const name of before.names) if (!claims.has(name)) this.#claim(name, host, undefined);
    for (const [name, claim] of claims) this.#claim(name, host, claim);
    this.#held.set(host, { names: new Set(claims.keys()), routes: this.routes.replace(before.routes, routes) });
  }

  #ruledPorts({ ports, rules }: CompiledService): RuledPorts | undefined {
    if (rules?.routing === undefined) return undefined;
    return new Map(
      ports.map(({ port: { number }, service }) => [number, grpcRuleRoutes(service, rules, number, this.#settings)]),
    );
  }

  #wanted(host: string, service: CompiledService, ruled: RuledPorts | undefined): ReadonlyMap<string, Claim> {
    const wanted = new Map<string, Claim>();
    const own = service.entry.service;
    const ports = service.ports.map(({ port: { number } }) => ({
      number,
      table: outboundCluster(number, own.hostname),
      faults: injectsFaults(ruled?.get(number) ?? []),
    }));
    for (const hostname of [own.hostname, ...this.#sight.aliases(service)]) {
      for (const [index, name] of requestNames(hostname, this.#dnsDomain).entries()) {
        for (const { faults, number, table } of ports) {
          const target = `${name}:${String(number)}`;
          const listener = service.encoded.resource(`grpc ${target}`, () =>
            resourceOf(target, encodeGrpcListener(target, table, faults)),
          );
          wanted.set(target, { host, service: own, full: index === 0, listener });
        }
      }
    }
    return wanted;
  }

  /** A name that several services want goes to the one whose full name it is, then to the oldest. */
  #claim(name: string, host: string, claim: Claim | undefined): void {
    const others = (this.#claims.get(name) ?? []).filter((one) => one.host !== host);
    const all = claim === undefined ? others : [...others, claim];
    all.sort((a, b) => Number(b.full) - Number(a.full) || precedence(a.service, b.service));
    const [winner] = all;
    if (winner === undefined) {
      this.#claims.delete(name);
      this.listeners.remove(name);
    } else {
      this.#claims.set(name, all);
      this.listeners.put(winner.listener);
    }
  }
}

function routeResource(service: CompiledService, port: Port, routes: readonly RouteInit[] | undefined): Resource {
  const own = service.entry.service;
  const name = outboundCluster(port.number, own.hostname);
  return service.encoded.resource(`grpc ${name}`, () =>
    resourceOf(
      name,
      routes === undefined
        ? encodeGrpcRoutes(own, port)
        : encoded(RouteConfigurationSchema, grpcRoutes(own, port, routes)),
    ),
  );
}
