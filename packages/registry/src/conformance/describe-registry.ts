import { describe, it } from "vitest";
import { registryContract } from "./contract.ts";
import type { RegistryUnderTest, SourceWorld } from "./world.ts";

/**
 * Declares one vitest test for each point of the contract. Every adapter calls it twice: against a fake server beside its
 * code, and against the real one.
 */
export function describeRegistry<W extends SourceWorld>(subject: RegistryUnderTest<W>): void {
  describe(`registry contract: ${subject.name}`, () => {
    // A point waits several times, and some play several worlds; each wait has its own deadline.
    const timeout = 20 * (subject.deadlineMs ?? 5000);
    for (const point of registryContract) {
      it(`${point.number}. ${point.name}`, { timeout }, () => point.run(subject));
    }
  });
}
