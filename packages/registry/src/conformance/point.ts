import assert from "node:assert/strict";
import type { ServiceKey, ServiceRecord } from "@signalbox/model";
import { serviceKey } from "@signalbox/model";
import type { RegistryUpdate } from "../registry.ts";
import type { RegistryUnderTest, SourceInstance, SourceService, SourceWorld } from "./world.ts";

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

/** Fails unless the world has the methods that go with what is supported, and no others. */
export function assertAnswers(supported: boolean, what: string, method: unknown): void {
  assert.equal(method !== undefined, supported, `supports.${what} is ${supported}, but the world says otherwise`);
}
