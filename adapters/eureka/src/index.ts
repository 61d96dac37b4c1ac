import type { RegistryModule } from "@signalbox/registry";
import { parseEurekaConfig, type EurekaConfig } from "./config.ts";
import { EurekaRegistry, provider } from "./registry.ts";

export type { EurekaConfig } from "./config.ts";

/** Services from Eureka. */
export const eurekaModule: RegistryModule<EurekaConfig> = {
  provider,
  parseConfig: parseEurekaConfig,
  create: (config, deps) => new EurekaRegistry(config, deps),
};
