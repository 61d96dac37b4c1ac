import type { Access } from "../api.ts";
import type { Fleet } from "../fleet.ts";

/** The sources that are measured. */
export const sourceNames = ["consul", "eureka", "kubernetes"] as const;

/** One of the sources. */
export type SourceName = (typeof sourceNames)[number];

/** How changes are made and what is waited for. */
export type ChangePattern =
  /** A change, its event, and a short rest, so that every change meets a quiet aggregate. */
  | { readonly type: "one-by-one" }
  /** Spread over the interval in which the adapter looks, whatever became of the changes before. */
  | { readonly type: "spread"; readonly intervalMs: number; readonly gapMs: number };

/** One way to configure the adapter that is measured. */
export interface Variant {
  /** For the table; empty for the main one. */
  readonly name: string;
  readonly config: unknown;
  readonly changes: ChangePattern;
  /** Share of the changes that are asked for which are made. */
  readonly changesShare: number;
  /** How often in an hour the adapter reads everything anew although nothing happened. */
  readonly rereadsPerHour: number;
  /** Whether the targets are meant for it. */
  readonly hasTargets: boolean;
}

/** What stands beside the adapter when a change is timed. */
export type BareFollower =
  /** A request that waits at the server, as the adapter's does, and a look at its answer. */
  | {
      readonly type: "wait";
      /** Resolves when a request waits; `seen` with the time at which the address was in a parsed answer. */
      expect(service: number, address: string): Promise<{ readonly seen: Promise<number> }>;
    }
  /** One read as the adapter's poll makes it; resolves with its milliseconds, parsing included. */
  | { readonly type: "poll"; read(): Promise<number> };

/** A real server with a fleet in it. `stop()` must be called. */
export interface BenchSource {
  readonly name: SourceName;
  readonly access: Access;
  /** How the server and the adapter differ from their defaults. */
  readonly remarks: readonly string[];
  /** The main one is first. `services` is the number of services that there are. */
  variants(services: number): readonly [Variant, ...Variant[]];
  /** Puts the services from the one number up to before the other into the server. */
  load(from: number, to: number): Promise<void>;
  /** Moves the first instance of a service to another address. Resolves when the server has acknowledged it. */
  move(service: number, address: string): Promise<void>;
  readonly follower: BareFollower;
  /** Resolves when nothing of what was written is still news to the server. */
  settled(): Promise<void>;
  stop(): Promise<void>;
}

/** What a source is started with. */
export interface SourceOptions {
  readonly fleet: Fleet;
  /** Seconds between two polls, where the adapter polls. */
  readonly pollSeconds: number;
  readonly signal: AbortSignal;
}
