import type { RegistryModule } from "@signalbox/registry";
import { parseConsulConfig, type ConsulConfig } from "./config.ts";
import { ConsulRegistry, provider } from "./registry.ts";

export type { ConsulConfig } from "./config.ts";

/** Services from the catalog and the health checks of Consul, by blocking queries. */
export const consulModule: RegistryModule<ConsulConfig> = {
  provider,
  parseConfig: parseConsulConfig,
  create: (config, deps) => new ConsulRegistry(config, deps),
};
