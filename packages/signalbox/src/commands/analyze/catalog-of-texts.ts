import { registryId } from "@signalbox/model";
import { silentLogger, type RegistryModule, type RegistryUpdate } from "@signalbox/registry";
import { loadKubernetesManifests, loadShortServices } from "../../builtin.ts";
import { parseConfig } from "../../config/check.ts";
import { planRegistries, type PlannedRegistry } from "../../config/registries.ts";
import { untilAborted } from "../../deferred.ts";
import { readCatalogOnce, type OfflineCatalog } from "../../offline-catalog.ts";
import type { Plan } from "../../signalbox.ts";
import type { TextPlace } from "./object-places.ts";

/** Facts of texts say that they come from registries of this name, so these must say them. A configuration is unlikely to have it. */
const name = "analyzed.files";

/** Something in a text that is left out of the catalog, and why. */
interface TextFault extends TextPlace {
  /** Counts the documents of the file from 0. */
  readonly document: number;
  readonly message: string;
}

/** What texts give. */
export interface TextsCatalog extends OfflineCatalog {
  readonly faults: readonly TextFault[];
  /** Whether all services are those of manifests, whose workloads are then in the manifests, too. */
  readonly manifestsOnly: boolean;
}

/** Services and rules of a configuration, beside which texts are read. */
type Beside = Plan & { readonly baseDir: string };

/**
 * Makes the catalog that these texts would give: Kubernetes' and Istio's objects, and services of the short form, by the names of their files. With a
 * configuration, its registries are read once, too; what the texts say comes first.
 */
export async function catalogOfTexts(texts: ReadonlyMap<string, string>, beside?: Beside): Promise<TextsCatalog> {
  const [{ readManifests }, { isShortForm, readShortServices }] = await Promise.all([
    loadKubernetesManifests(),
    loadShortServices(),
  ]);
  const manifests = await readManifests({ texts }, { name, passOver: isShortForm });
  const short = readShortServices(texts, { name });
  const planned = [
    ...(await said("kubernetes", { type: "snapshot", ...manifests })),
    ...(await said("static", { type: "snapshot", records: short.records })),
  ];
  const config = beside?.config ?? parseConfig({});
  const registries = [...planned, ...(beside?.registries ?? [])];
  const read = await readCatalogOnce({ config, registries }, beside?.baseDir ?? ".", silentLogger);
  return {
    ...read,
    faults: [
      ...manifests.faults.filter(({ severity }) => severity === "error"),
      ...short.faults
        .filter(({ severity }) => severity === "error")
        .map(({ field, message, ...place }) => ({
          ...place,
          message: field === "" ? message : `${field}: ${message}`,
        })),
    ],
    manifestsOnly: beside === undefined && short.records.length === 0,
  };
}

/** A registry that says one thing, once. */
async function said(
  provider: string,
  { objects, records, type, workloads }: RegistryUpdate & { type: "snapshot" },
): Promise<readonly PlannedRegistry[]> {
  const update = { type, records, ...(workloads && { workloads }), ...(objects && { objects }) } as const;
  const module: RegistryModule<unknown> = {
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
  const { planned } = await planRegistries(parseConfig({ registries: [{ provider, name }] }), [module]);
  return planned;
}
