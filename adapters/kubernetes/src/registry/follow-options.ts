import type { RegistryDeps, RegistrySink } from "@signalbox/registry";
import type { KubernetesConfig } from "../config.ts";
import type { ConvertContext } from "../convert.ts";

/** What a run of the registry has. */
export interface FollowOptions {
  readonly config: KubernetesConfig;
  readonly deps: RegistryDeps;
  readonly context: ConvertContext;
  readonly sink: RegistrySink;
  readonly signal: AbortSignal;
}
