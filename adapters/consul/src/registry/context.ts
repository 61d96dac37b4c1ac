import type { RegistryId } from "@signalbox/model";
import type { RegistryDeps } from "@signalbox/registry";
import type { ConsulClient, ConsulScope } from "../client.ts";
import type { ConsulConfig } from "../config.ts";
import type { FormerService } from "../convert/baseline.ts";
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
  /** What an earlier run knew of a scope, by service in lower case. */
  former(scope: ConsulScope): ReadonlyMap<string, FormerService>;
  /** Makes equal labels and localities one object. */
  readonly alike: NonNullable<EntryContext["alike"]>;
}
