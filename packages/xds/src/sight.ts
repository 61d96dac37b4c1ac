import type { Client } from "@signalbox/traffic";
import type { CompiledService } from "./compiled-service.ts";

/** What clients of one kind see: which hosts there are, and what stands at each. */
export interface Sight {
  readonly client: Client;
  /** Every host that may stand for something, in the form that compares. */
  hosts(): Iterable<string>;
  /** The service at a host, with the rules that hold for these clients; undefined where they see none. */
  visible(host: string): CompiledService | undefined;
  /** Names of the aliases of a service that these clients see, sorted. */
  aliases(service: CompiledService): readonly string[];
}
