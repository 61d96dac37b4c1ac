import { afterEach, describe, expect, it } from "vitest";
import { MemoryWorld, watching } from "../testing/memory-world.ts";
import { cleanUp, mutants } from "../testing/mutants.ts";
import { MemoryRegistry, registryContract } from "./index.ts";
import type { RegistryUnderTest } from "./index.ts";

const good: RegistryUnderTest<MemoryWorld> = {
  name: "memory",
  world: () => Promise.resolve(new MemoryWorld()),
  create: (world, deps) => new MemoryRegistry(world.source, deps, { token: world.secret }),
  supports: watching,
  deadlineMs: 500,
  quietMs: 2,
};

function point(number: number): (subject: RegistryUnderTest<MemoryWorld>) => Promise<void> {
  return async (subject) => {
    const found = registryContract.find((candidate) => candidate.number === number);
    if (found === undefined) throw new TypeError(`there is no point ${number}`);
    await found.run(subject);
  };
}

describe("the registry contract", () => {
  afterEach(cleanUp);

  it("has the points 1 to 20", () => {
    expect(registryContract.map(({ number }) => number)).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
  });

  it("has a mutant for every point", () => {
    expect([...new Set(mutants.map((mutant) => mutant.point))]).toEqual(registryContract.map(({ number }) => number));
  });

  it.each(mutants.map((mutant) => [mutant.point, mutant.fault, mutant] as const))(
    "finds by point %i a registry that %s",
    async (number, _, { create, finding }) => {
      const found = point(number)({ ...good, create });
      await expect(found).rejects.toMatchObject({
        name: "AssertionError",
        message: expect.stringContaining(finding) as unknown,
      });
    },
  );

  it.each([
    ["truncation", 10],
    ["workloads", 4],
    ["objects", 4],
    ["secrets", 20],
  ] as const)("finds a world that offers %s which supports denies", async (answer, number) => {
    await expect(point(number)({ ...good, supports: { ...watching, [answer]: false } })).rejects.toThrow(
      "does not fit",
    );
  });

  it("finds deltas where supports denies them", async () => {
    await expect(point(4)({ ...good, supports: { ...watching, deltas: false } })).rejects.toThrow("a delta where");
  });
});
