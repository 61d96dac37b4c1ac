import type { ServiceRecord } from "@signalbox/model";
import { MemoryRegistry } from "../conformance/index.ts";
import { recordsOf } from "../conformance/point.ts";
import type { Baseline, Registry, RegistryDeps, RegistrySink, RegistryUpdate } from "../registry.ts";
import type { MemoryWorld } from "./memory-world.ts";

/** Makes a registry in a world. */
export type Create = (world: MemoryWorld, deps: RegistryDeps) => Registry;

/** A registry with one fault, and the point of the contract that must find it. */
export interface Mutant {
  readonly point: number;
  readonly fault: string;
  /** Part of what the point says about it. */
  readonly finding: string;
  readonly create: Create;
}

/** What a mutant may spoil: the calls to the sink, and what happens around the run. */
export interface Spoil {
  readonly registry: Registry;
  readonly world: MemoryWorld;
  readonly deps: RegistryDeps;
  readonly sink: RegistrySink;
  readonly signal: AbortSignal;
  readonly baseline: Baseline | undefined;
}

/** The good registry that watches. */
export const watch: Create = (world, deps) => new MemoryRegistry(world.source, deps, { token: world.secret });
/** The good registry that polls. */
export const poll: Create = (world, deps) =>
  new MemoryRegistry(world.source, deps, { token: world.secret, mode: "poll" });

/** A good registry whose run is replaced. */
export function around(run: (spoil: Spoil) => Promise<void>, base: Create = watch): Create {
  return (world, deps) => {
    const registry = base(world, deps);
    return {
      id: registry.id,
      run: (sink, signal, baseline) => run({ registry, world, deps, sink, signal, baseline }),
    };
  };
}

/** A good registry whose calls to the sink are spoiled; state of the spoiler is that of one run. */
export function told(spoil: (context: Spoil) => Partial<RegistrySink>, base: Create = watch): Create {
  return around((context) => {
    const { registry, sink, signal } = context;
    const good: RegistrySink = {
      push: (update) => sink.push(update),
      alive: () => sink.alive(),
      degraded: (problem, error) => sink.degraded(problem, error),
    };
    return registry.run({ ...good, ...spoil(context) }, signal);
  }, base);
}

/** A good registry whose updates are changed on their way. */
export function updates(
  change: (update: RegistryUpdate, context: Spoil) => RegistryUpdate | undefined,
  base?: Create,
): Create {
  return told((context) => {
    const push = (update: RegistryUpdate): void => {
      const changed = change(update, context);
      if (changed !== undefined) context.sink.push(changed);
    };
    return { push };
  }, base);
}

/** The update with every record changed; a record that becomes `undefined` is left out. */
export function records(
  update: RegistryUpdate,
  change: (record: ServiceRecord) => ServiceRecord | undefined,
): RegistryUpdate {
  const changed = recordsOf(update).flatMap((record) => change(record) ?? []);
  if (update.type === "snapshot") return { ...update, records: changed };
  return { ...update, records: { upserted: changed, removed: update.records?.removed ?? [] } };
}
