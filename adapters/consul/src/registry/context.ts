import type { RegistryId } from "@signalbox/model";
import type { RegistryDeps } from "@signalbox/registry";
import type { ConsulClient } from "../client.ts";
import type { ConsulConfig } from "../config.ts";
import type { EntryContext } from "../convert.ts";
import type { Shard } from "./shard.ts";
import type { Slots } from "./slots.ts";

/** What all readers of one run share. */
export interface ReaderContext {
  readonly config: ConsulConfig;
  readonly registry: RegistryId;
  readonly deps: RegistryDeps;
  readonly client: ConsulClient;
  readonly shard: Shard;
  readonly slots: Slots;
  readonly alike: NonNullable<EntryContext["alike"]>;
}
