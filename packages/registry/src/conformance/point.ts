import assert from "node:assert/strict";
import type { ServiceKey, ServiceRecord } from "@signalbox/model";
import { serviceKey } from "@signalbox/model";
import type { RegistryUpdate } from "../registry.ts";
import type { RegistryUnderTest, SourceInstance, SourceService, SourceWorld, Supports } from "./world.ts";

/** One promise that every registry keeps. */
export interface ContractPoint {
  /** From 1 to 20. */
  readonly number: number;
  /** The promise as a sentence. */
  readonly name: string;
  /** Rejects when the registry breaks the promise. Opens and closes its own worlds. */
  run<W extends SourceWorld>(subject: RegistryUnderTest<W>): Promise<void>;
}

/** A service with so many instances, at 10.1.0.1 and on. */
export function service(name: string, instances: number, change: Partial<SourceInstance> = {}): SourceService {
  return {
    name,
    port: 8080,
    instances: Array.from({ length: instances }, (_, index) => ({
      name: `${name}-${index + 1}`,
      ip: `10.1.0.${index + 1}`,
      ...change,
    })),
  };
}

/** The records that an update tells, whatever its type. */
export function recordsOf(update: RegistryUpdate): readonly ServiceRecord[] {
  return update.type === "snapshot" ? update.records : (update.records?.upserted ?? []);
}

/** The record of the key in an update. */
export function recordIn(update: RegistryUpdate | undefined, key: ServiceKey): ServiceRecord | undefined {
  return update && recordsOf(update).find((record) => serviceKey(record.service) === key);
}

/** Fails unless the world offers what goes with an answer in `supports`, and only then. */
export function assertAnswers(
  supports: Supports,
  answer: "workloads" | "objects" | "truncation" | "secrets",
  world: SourceWorld,
): void {
  const member = (
    { workloads: "setWorkload", objects: "setObject", truncation: "truncate", secrets: "secret" } as const
  )[answer];
  assert.equal(world[member] !== undefined, supports[answer], `supports.${answer} does not fit the world's ${member}`);
}
