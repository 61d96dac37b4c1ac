import { parseDocuments, readFiles } from "@signalbox/files";
import { registryId, type ConfigObject, type ServiceRecord, type Workload } from "@signalbox/model";
import type { RegistryModule } from "@signalbox/registry";
import { parseKubernetesConfig, type KubernetesConfig } from "./config.ts";
import { contextOf, KubernetesRegistry, provider } from "./registry.ts";
import { mergeManifests, putAll, readManifest, shownName, type ManifestFault } from "./registry/manifests.ts";
import { WholeState } from "./registry/whole-state.ts";

export { formatManifestFault, ManifestsError } from "./registry/manifests.ts";
export { parseSecretsConfig } from "./registry/secrets/config.ts";
export { followSecrets } from "./registry/secrets/follow-secrets.ts";
export type { KubernetesConfig, NamespaceChoice } from "./config.ts";
export type { ManifestFault } from "./registry/manifests.ts";
export type { KubernetesSecretsConfig } from "./registry/secrets/config.ts";
export type { FollowSecretsOptions } from "./registry/secrets/follow-secrets.ts";
export type { KubernetesSecret } from "./registry/secrets/read-secret.ts";

/** Services, endpoints and pods of a Kubernetes cluster, or of manifests. */
export const kubernetesModule: RegistryModule<KubernetesConfig> = {
  provider,
  parseConfig: parseKubernetesConfig,
  create: (config, deps) => new KubernetesRegistry(config, deps),
};

/** All that manifests say at one moment. */
export interface ManifestContent {
  readonly records: readonly ServiceRecord[];
  readonly workloads: readonly Workload[];
  /** Istio's objects, in the order of their keys. */
  readonly objects: readonly ConfigObject[];
  /** All mistakes, each with its place; files that cannot be read are at line 1. Objects with errors are left out. */
  readonly faults: readonly ManifestFault[];
}

/** Where manifests are: files, directories and globs, or texts by a name for faults. */
export type ManifestInput =
  { readonly paths: readonly string[]; readonly baseDir?: string } | { readonly texts: ReadonlyMap<string, string> };

/**
 * Reads manifests once, as a cluster would have them after its controllers ran: Services with EndpointSlices, with Endpoints, or with a
 * selector and Pods. `config` is the configuration of a registry without a source; `name` is its name in provenances; documents that
 * `passOver` knows are left to somebody else. Never throws for what files hold. Throws a ConfigError for a configuration that cannot be used.
 */
export async function readManifests(
  input: ManifestInput,
  options: {
    readonly name?: string;
    readonly config?: Partial<KubernetesConfig>;
    readonly passOver?: (document: unknown) => boolean;
  } = {},
): Promise<ManifestContent> {
  const { name = "manifests", config: given = {}, passOver = () => false } = options;
  const config = parseKubernetesConfig(given);
  const unreadable: ManifestFault[] = [];
  const texts = new Map<string, string>("texts" in input ? input.texts : []);
  if ("paths" in input) {
    const { paths, baseDir = process.cwd() } = input;
    const batch = await readFiles({ paths, baseDir, maxBytes: config.maxFileBytes });
    for (const { path, text } of batch.changed) texts.set(shownName(path, baseDir), text);
    for (const { path, message } of batch.failures)
      unreadable.push({ file: shownName(path, baseDir), document: 0, line: 1, column: 1, severity: "error", message });
  }
  const context = contextOf(registryId(provider, name), config);
  const registry = config.istio === false ? undefined : context.registry;
  const files = [...texts].map(([file, text]) => {
    const { documents, ...parsed } = parseDocuments(text, { file, maxBytes: config.maxFileBytes });
    const wanted = { ...parsed, documents: documents.filter(({ value }) => !passOver(value)) };
    return [file, readManifest(file, wanted, registry)] as const;
  });
  const { objects: found, faults } = mergeManifests(new Map(files));
  const state = new WholeState(context, config.namespaces);
  putAll(state, found);
  const { records, workloads = [], objects = [] } = state.snapshot();
  return { records, workloads, objects, faults: [...unreadable, ...faults] };
}
