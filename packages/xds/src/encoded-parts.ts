import type { Port, Service } from "@signalbox/model";
import type { Resource } from "@signalbox/xds-server";
import type { MeshSettings } from "./mesh.ts";
import { outboundCluster } from "./names.ts";
import { defaultRoutes, encodeVirtualHost, virtualHost } from "./routes.ts";

/** What was encoded for one version of a service, kept until the service changes; new endpoints leave it. Clients that see the same share it. */
export class EncodedParts {
  readonly service: Service;
  readonly #settings: MeshSettings;
  readonly #virtualHosts = new Map<string, Uint8Array>();
  readonly #resources = new Map<string, Resource>();

  constructor(service: Service, settings: MeshSettings) {
    this.service = service;
    this.#settings = settings;
  }

  /** The bytes of the virtual host of a port with these domains. */
  virtualHost(port: Port, domains: readonly string[]): Uint8Array {
    const key = `${String(port.number)} ${domains.join(" ")}`;
    let bytes = this.#virtualHosts.get(key);
    if (bytes === undefined) {
      const { hostname } = this.service;
      const routes = defaultRoutes(outboundCluster(port.number, hostname), this.#settings);
      bytes = encodeVirtualHost(virtualHost(`${hostname}:${String(port.number)}`, domains, routes));
      this.#virtualHosts.set(key, bytes);
    }
    return bytes;
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
