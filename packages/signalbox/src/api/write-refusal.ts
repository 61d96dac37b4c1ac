import type { AggregateController } from "@signalbox/aggregate";
import type { SignalboxConfig } from "../config/schema.ts";

/**
 * Why this process must not take a person's word, for people; undefined where it may. What people say is known to the process that
 * they say it to, and nowhere else: it must be the only one that makes the catalog.
 */
export function writeRefusal(
  { api, bus }: Pick<SignalboxConfig, "api" | "bus">,
  aggregate: Pick<AggregateController, "leads">,
): string | undefined {
  if (bus.type === "in-process")
    return api.replicas > 1
      ? `${api.replicas} processes make a catalog each and have no bus between them, so the others would not know of it: configure bus`
      : undefined;
  return aggregate.leads ? undefined : "another process leads, and what is said here would not reach it: ask that one";
}
