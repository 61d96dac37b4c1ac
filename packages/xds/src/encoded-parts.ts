import type { Port, Service } from "@signalbox/model";
import type { Resource } from "@signalbox/xds-server";
import { portPolicy } from "@signalbox/traffic";
import type { AppliedRules } from "./applied-rules.ts";
import { encodeDefaultVirtualHost } from "./default-virtual-host.ts";
import type { MeshSettings } from "./mesh.ts";
import { outboundCluster } from "./names.ts";
import { portKind } from "./port-kind.ts";
import { hashPolicies } from "./routing/hash-policy.ts";
import { httpRoutes } from "./routing/http-routes.ts";
import { defaultRoutes, encodeVirtualHost, virtualHost, type RouteInit } from "./routes.ts";

/**
 * What was encoded for one version of a service and its rules, kept until these change; new endpoints leave it. Clients that see the same
 * share it.
 */
export class EncodedParts {
  readonly service: Service;
  readonly #settings: MeshSettings;
  readonly #rules: AppliedRules | undefined;
  readonly #routes = new Map<number, readonly RouteInit[]>();
  readonly #virtualHosts = new Map<string, Uint8Array>();
  readonly #resources = new Map<string, Resource>();

  /** Throws when the rules cannot be translated. */
  constructor(service: Service, settings: MeshSettings, rules?: AppliedRules) {
    this.service = service;
    this.#settings = settings;
    this.#rules = rules;
    if (rules === undefined) return;
    // A virtual host is encoded when it is first needed. What is wrong with the rules must be known before.
    for (const port of service.ports)
      if (["http", "sniffed"].includes(portKind(port.protocol)))
        encodeVirtualHost(virtualHost("", [], this.#routesOf(port)));
  }

  /** The bytes of the virtual host of a port with these domains. */
  virtualHost(port: Port, domains: readonly string[]): Uint8Array {
    const key = `${String(port.number)} ${domains.join(" ")}`;
    let bytes = this.#virtualHosts.get(key);
    if (bytes === undefined) {
      const { hostname } = this.service;
      const name = `${hostname}:${String(port.number)}`;
      bytes =
        this.#rules === undefined
          ? encodeDefaultVirtualHost(name, domains, outboundCluster(port.number, hostname), this.#settings)
          : encodeVirtualHost(virtualHost(name, domains, this.#routesOf(port)));
      this.#virtualHosts.set(key, bytes);
    }
    return bytes;
  }

  /** Is there a route on this port? */
  answers(port: Port): boolean {
    return this.#routesOf(port).length > 0;
  }

  /** The routes of the rules; without rules for the port everything goes to the service. */
  #routesOf({ number }: Port): readonly RouteInit[] {
    let routes = this.#routes.get(number);
    if (routes === undefined) {
      routes = this.#ruledRoutes(number);
      this.#routes.set(number, routes);
    }
    return routes;
  }

  #ruledRoutes(port: number): readonly RouteInit[] {
    const { destination, destinations, routing } = this.#rules ?? {};
    if (routing !== undefined && destinations !== undefined) {
      const routes = httpRoutes(routing, { port, destinations, settings: this.#settings });
      if (routes.length > 0 || this.#rules?.bare === true) return routes;
    }
    const hash = hashPolicies(portPolicy(destination, port, "")?.loadBalancer);
    return defaultRoutes(outboundCluster(port, this.service.hostname), this.#settings, hash);
  }

  /** A resource that depends on the service and on `key` alone; `make` is called once for each key. */
  resource(key: string, make: () => Resource): Resource {
    let resource = this.#resources.get(key);
    if (resource === undefined) {
      resource = make();
      this.#resources.set(key, resource);
    }
    return resource;
  }
}
