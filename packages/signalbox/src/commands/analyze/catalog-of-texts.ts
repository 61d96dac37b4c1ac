import type { ManifestFault } from "@signalbox/adapter-kubernetes";
import { registryId, type Catalog } from "@signalbox/model";
import { silentLogger, type RegistryModule, type RegistryUpdate } from "@signalbox/registry";
import { loadKubernetesManifests } from "../../builtin.ts";
import { parseConfig } from "../../config/check.ts";
import { planRegistries } from "../../config/registries.ts";
import { untilAborted } from "../../deferred.ts";
import { readCatalogOnce } from "../../offline-catalog.ts";

/** Facts of manifests say that they come from this registry, so this one must say them. */
const provider = "kubernetes";
const name = "manifests";

/** What texts give. */
export interface TextsCatalog {
  readonly catalog: Catalog;
  /** What is left out of the catalog, and why. */
  readonly faults: readonly ManifestFault[];
}

/** Makes the catalog that a cluster with these manifests would give: Kubernetes' and Istio's objects, by the names of their files. */
export async function catalogOfTexts(texts: ReadonlyMap<string, string>): Promise<TextsCatalog> {
  const { readManifests } = await loadKubernetesManifests();
  const { faults, objects, records, workloads } = await readManifests({ texts }, { name });
  const module = said({ type: "snapshot", records, workloads, objects });
  const config = parseConfig({ registries: [{ provider, name }] });
  const { planned } = await planRegistries(config, [module]);
  const { catalog } = await readCatalogOnce({ config, registries: planned }, ".", silentLogger);
  return { catalog, faults: faults.filter(({ severity }) => severity === "error") };
}

/** A registry that says one thing, once. */
function said(update: RegistryUpdate): RegistryModule<unknown> {
  return {
    provider,
    parseConfig: () => undefined,
    create: () => ({
      id: registryId(provider, name),
      run: async (sink, signal) => {
        sink.push(update);
        await untilAborted(signal);
      },
    }),
  };
}
