import {
  restConfigSource,
  withConfigSources,
  type Resource,
  type ResourceSource,
  type ResourceView,
} from "@signalbox/xds-server";
import type { TypeUrl } from "@signalbox/envoy-api";
import { restRefreshMs, xdsClusterName } from "./bootstrap/envoy.ts";

/**
 * The same resources for clients that poll: where a cluster or a listener says that its endpoints or routes come by ADS, it now says that
 * they are polled from the cluster `xds_cluster`, which `signalbox bootstrap --rest` defines. Versions stay, because equal resources give
 * equal resources.
 */
export function restSource(source: ResourceSource): ResourceSource {
  const views = new WeakMap<ResourceView, ResourceView>();
  const viewOf = (view: ResourceView): ResourceView => {
    let polled = views.get(view);
    if (polled === undefined) views.set(view, (polled = new PolledView(view)));
    return polled;
  };
  return {
    acquire: (node, onChange) => {
      const lease = source.acquire(node, onChange);
      return {
        current: () => {
          const view = lease.current();
          return view === undefined ? undefined : viewOf(view);
        },
        release: () => lease.release(),
      };
    },
  };
}

class PolledView implements ResourceView {
  readonly #view: ResourceView;
  readonly #polled = new WeakMap<Resource, Resource>();

  constructor(view: ResourceView) {
    this.#view = view;
  }

  resources(type: TypeUrl): ReadonlyMap<string, Resource> {
    return new Map([...this.#view.resources(type)].map(([name, resource]) => [name, this.#convert(type, resource)]));
  }

  version(type: TypeUrl): string {
    return this.#view.version(type);
  }

  #convert(type: TypeUrl, resource: Resource): Resource {
    let polled = this.#polled.get(resource);
    if (polled === undefined) {
      const { value } = withConfigSources(type, resource.bytes, () => restConfigSource(xdsClusterName, restRefreshMs));
      polled = { name: resource.name, version: resource.version, bytes: value };
      this.#polled.set(resource, polled);
    }
    return polled;
  }
}
