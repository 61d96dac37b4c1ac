import { registryId, type RegistryId } from "@signalbox/model";
import type { Registry, RegistryDeps, RegistrySink } from "@signalbox/registry";
import type { KubernetesConfig } from "./config.ts";
import type { ConvertContext } from "./convert.ts";
import { followCluster } from "./registry/cluster.ts";
import { followManifests } from "./registry/manifests.ts";

/** The name of this kind of registry. */
export const provider = "kubernetes";

/** Services and workloads of one Kubernetes cluster, or of manifests. */
export class KubernetesRegistry implements Registry {
  readonly id: RegistryId;
  readonly #config: KubernetesConfig;
  readonly #deps: RegistryDeps;

  constructor(config: KubernetesConfig, deps: RegistryDeps) {
    this.id = registryId(provider, deps.name);
    this.#config = config;
    this.#deps = deps;
  }

  async run(sink: RegistrySink, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    const options = { config: this.#config, deps: this.#deps, context: contextOf(this.id, this.#config), sink, signal };
    const { manifests } = this.#config;
    await (manifests === undefined ? followCluster(options) : followManifests({ ...options, paths: manifests }));
  }
}

/** What the conversion has to know, from the configuration of a registry. */
export function contextOf(registry: RegistryId, config: KubernetesConfig): ConvertContext {
  const { network, domain, trustDomain } = config;
  const name = registry.slice(registry.indexOf("/") + 1);
  return { registry, cluster: config.cluster ?? name, network, domain, trustDomain };
}
