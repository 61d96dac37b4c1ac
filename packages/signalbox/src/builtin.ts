import type { followSecrets, parseSecretsConfig, readManifests } from "@signalbox/adapter-kubernetes";
import type { isShortForm, readShortServices } from "@signalbox/adapter-static";
import type { RegistryModule } from "@signalbox/registry";

/** Loads the module of one provider. */
type LoadModule = () => Promise<RegistryModule<unknown>>;

/** The adapters that come with Signalbox, by the `provider` of their configuration. Each is loaded when it is first used. */
export const builtinModules: ReadonlyMap<string, LoadModule> = new Map<string, LoadModule>([
  ["consul", async () => (await import("@signalbox/adapter-consul")).consulModule],
  ["eureka", async () => (await import("@signalbox/adapter-eureka")).eurekaModule],
  ["kubernetes", async () => (await import("@signalbox/adapter-kubernetes")).kubernetesModule],
  ["static", async () => (await import("@signalbox/adapter-static")).staticModule],
]);

/** What reads Secrets of a cluster. */
export interface KubernetesSecretsModule {
  readonly followSecrets: typeof followSecrets;
  readonly parseSecretsConfig: typeof parseSecretsConfig;
}

/** Loads what reads Secrets of a cluster. */
export function loadKubernetesSecrets(): Promise<KubernetesSecretsModule> {
  return import("@signalbox/adapter-kubernetes");
}

/** What reads manifests of a cluster. */
export interface KubernetesManifestsModule {
  readonly readManifests: typeof readManifests;
}

/** Loads what reads manifests of a cluster. */
export function loadKubernetesManifests(): Promise<KubernetesManifestsModule> {
  return import("@signalbox/adapter-kubernetes");
}

/** What reads services of the short form. */
export interface ShortServicesModule {
  readonly isShortForm: typeof isShortForm;
  readonly readShortServices: typeof readShortServices;
}

/** Loads what reads services of the short form. */
export function loadShortServices(): Promise<ShortServicesModule> {
  return import("@signalbox/adapter-static");
}
