import type { Port, Service } from "@signalbox/model";
import type { MeshSettings } from "./mesh.ts";
import { outboundCluster } from "./names.ts";
import { defaultRoutes, encodeVirtualHost, virtualHost } from "./routes.ts";

/** The encoded virtual hosts of one version of a service, kept until the service changes. Clients that see the same domains share them. */
export class VirtualHosts {
  readonly service: Service;
  readonly #settings: MeshSettings;
  readonly #encoded = new Map<string, Uint8Array>();

  constructor(service: Service, settings: MeshSettings) {
    this.service = service;
    this.#settings = settings;
  }

  /** The bytes of the virtual host of a port with these domains. */
  encode(port: Port, domains: readonly string[]): Uint8Array {
    const key = `${String(port.number)} ${domains.join(" ")}`;
    let bytes = this.#encoded.get(key);
    if (bytes === undefined) {
      const { hostname } = this.service;
      const routes = defaultRoutes(outboundCluster(port.number, hostname), this.#settings);
      bytes = encodeVirtualHost(virtualHost(`${hostname}:${String(port.number)}`, domains, routes));
      this.#encoded.set(key, bytes);
    }
    return bytes;
  }
}
