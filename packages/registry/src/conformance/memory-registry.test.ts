import { MemoryWorld, watching } from "../testing/memory-world.ts";
import { describeRegistry, MemoryRegistry } from "./index.ts";

for (const mode of ["watch", "poll"] as const) {
  describeRegistry({
    name: `memory, by ${mode}`,
    world: () => Promise.resolve(new MemoryWorld()),
    create: (world, deps) => new MemoryRegistry(world.source, deps, { mode, token: world.secret }),
    supports: { ...watching, deltas: mode === "watch" },
    quietMs: 5,
  });
}
