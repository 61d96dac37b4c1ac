import { createServer } from "node:net";
import { setInterval } from "node:timers";
import { serviceKey } from "@signalbox/model";
import type { Delta, ServiceRecord } from "@signalbox/model";
import { MemoryRegistry } from "../conformance/index.ts";
import { recordsOf } from "../conformance/point.ts";
import type { Registry, RegistryDeps, RegistrySink, RegistryUpdate } from "../registry.ts";
import type { MemoryWorld } from "./memory-world.ts";

type Create = (world: MemoryWorld, deps: RegistryDeps) => Registry;

/** A registry with one fault, and the point of the contract that must find it. */
export interface Mutant {
  readonly point: number;
  readonly fault: string;
  /** Part of what the point says about it. */
  readonly finding: string;
  readonly create: Create;
}

/** What a mutant may spoil: the calls to the sink, and what happens around the run. */
interface Spoil {
  readonly registry: Registry;
  readonly world: MemoryWorld;
  readonly deps: RegistryDeps;
  readonly sink: RegistrySink;
  readonly signal: AbortSignal;
}

const watch: Create = (world, deps) => new MemoryRegistry(world.source, deps, { token: world.secret });
const poll: Create = (world, deps) => new MemoryRegistry(world.source, deps, { token: world.secret, mode: "poll" });

/** A good registry whose run is replaced. */
function around(run: (spoil: Spoil) => Promise<void>, base: Create = watch): Create {
  return (world, deps) => {
    const registry = base(world, deps);
    return { id: registry.id, run: (sink, signal) => run({ registry, world, deps, sink, signal }) };
  };
}

/** A good registry whose calls to the sink are spoiled; state of the spoiler is that of one run. */
function told(spoil: (context: Spoil) => Partial<RegistrySink>, base: Create = watch): Create {
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
function updates(
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
function records(update: RegistryUpdate, change: (record: ServiceRecord) => ServiceRecord | undefined): RegistryUpdate {
  const changed = recordsOf(update).flatMap((record) => change(record) ?? []);
  if (update.type === "snapshot") return { ...update, records: changed };
  return { ...update, records: { upserted: changed, removed: update.records?.removed ?? [] } };
}

function without<K, V>(delta: Delta<K, V> | undefined): Delta<K, V> {
  return { upserted: delta?.upserted ?? [], removed: [] };
}

let shared: readonly ServiceRecord[] | undefined;
let runs = 0;

/** At least one mutant for every point. */
export const mutants: readonly Mutant[] = [
  {
    point: 1,
    fault: "says the first snapshot as a delta",
    finding: "a delta came before the first snapshot",
    create: updates((update) =>
      update.type === "delta" ? update : { type: "delta", records: { upserted: update.records, removed: [] } },
    ),
  },
  {
    point: 1,
    fault: "says half of the source first",
    finding: "in the first snapshot",
    create: updates((update) =>
      update.type === "delta" ? update : { ...update, records: update.records.slice(0, 1) },
    ),
  },
  {
    point: 2,
    fault: "does not say that the source is empty",
    finding: "the first snapshot; heard: 0 updates",
    create: updates((update) => (update.type === "snapshot" && update.records.length === 0 ? undefined : update)),
  },
  {
    point: 3,
    fault: "says the same again",
    finding: "updates while nothing changed",
    create: told(({ sink }) => {
      let last: RegistryUpdate | undefined;
      return {
        push: (update) => sink.push((last = update)),
        alive: () => last && sink.push(last),
      };
    }, poll),
  },
  {
    point: 3,
    fault: "never says that the source is alive",
    finding: "a call of alive",
    create: told(() => ({ alive: () => undefined })),
  },
  {
    point: 4,
    fault: "says only the new instances of a record",
    finding: "with 4 instances",
    create: updates((update) =>
      update.type === "snapshot"
        ? update
        : records(update, (record) => ({ ...record, instances: record.instances.slice(-1) })),
    ),
  },
  {
    point: 4,
    fault: "says snapshots where deltas are promised",
    finding: "a change of one service is a delta",
    create: poll,
  },
  {
    point: 4,
    fault: "loses workloads",
    finding: "workload /default/vm-1",
    create: updates((update) =>
      update.type === "delta" ? { type: "delta", ...(update.records && { records: update.records }) } : update,
    ),
  },
  {
    point: 5,
    fault: "drops services without instances",
    finding: "with 0 instances",
    create: updates((update) => records(update, (record) => (record.instances.length === 0 ? undefined : record))),
  },
  {
    point: 6,
    fault: "forgets deletions",
    finding: "is gone",
    create: updates((update) => (update.type === "delta" ? { ...update, records: without(update.records) } : update)),
  },
  {
    point: 7,
    fault: "says a change as a deletion and a creation",
    finding: "updates for one deletion and one creation",
    create: told(({ sink }) => ({
      push: (update) => {
        if (update.type === "delta") {
          const removed = recordsOf(update).map((record) => serviceKey(record.service));
          sink.push({ type: "delta", records: { upserted: [], removed } });
        }
        sink.push(update);
      },
    })),
  },
  {
    point: 8,
    fault: "gives new ids with every run",
    finding: "after a restart of the adapter",
    create: around(({ registry, sink, signal }) => {
      const run = ++runs;
      const rename = (record: ServiceRecord): ServiceRecord => ({
        ...record,
        instances: record.instances.map((instance) => ({ ...instance, id: `${instance.id}-${run}` })),
      });
      const push = (update: RegistryUpdate): void => sink.push(records(update, rename));
      const alive = (): void => sink.alive();
      return registry.run({ push, alive, degraded: (problem, error) => sink.degraded(problem, error) }, signal);
    }),
  },
  {
    point: 8,
    fault: "says one key twice",
    finding: "keys are not unique",
    create: updates((update) =>
      update.type === "snapshot" ? { ...update, records: [...update.records, ...update.records] } : update,
    ),
  },
  {
    point: 9,
    fault: "takes a failed read for an empty source",
    finding: "updates while the source was UNREACHABLE",
    create: told(({ sink }) => ({
      degraded: (problem, error) => {
        sink.degraded(problem, error);
        sink.push({ type: "snapshot", records: [] });
      },
    })),
  },
  {
    point: 9,
    fault: "says nothing of a failed read",
    finding: "a call of degraded",
    create: told(() => ({ degraded: () => undefined })),
  },
  {
    point: 9,
    fault: "says another problem than there is",
    finding: "the problem",
    create: told(({ sink }) => ({ degraded: (_, error) => sink.degraded("PROTOCOL_ERROR", error) })),
  },
  {
    point: 10,
    fault: "takes half a read for a whole one",
    finding: "updates from truncated reads",
    create: told(({ sink }) => {
      let last: RegistryUpdate | undefined;
      return {
        push: (update) => sink.push((last = update)),
        degraded: (problem, error) => {
          if (last?.type === "snapshot") sink.push({ ...last, records: last.records.slice(0, 2) });
          sink.degraded(problem, error);
        },
      };
    }),
  },
  {
    point: 11,
    fault: "fails for one malformed object",
    finding: "degraded 1 times (PROTOCOL_ERROR: malformed)",
    create: updates((update, { sink }) => {
      if (recordsOf(update).every(({ service }) => service.hostname !== "malformed.memory")) return update;
      sink.degraded("PROTOCOL_ERROR", new Error("malformed"));
      return undefined;
    }),
  },
  {
    point: 11,
    fault: "drops what is malformed without a word",
    finding: "neither counted nor warned of",
    create: (world, deps) => {
      const quiet = { ...deps.logger, warn: () => undefined };
      return watch(world, {
        ...deps,
        logger: quiet,
        metrics: { counter: () => undefined, histogram: () => undefined },
      });
    },
  },
  {
    point: 12,
    fault: "tries again at once",
    finding: "without waiting on the clock",
    create: (world, deps) =>
      watch(world, {
        ...deps,
        clock: {
          now: () => deps.clock.now(),
          sleep: () => new Promise((resolve) => setImmediate(resolve)),
        },
      }),
  },
  {
    point: 12,
    fault: "gives up after a failure",
    finding: "two more attempts",
    create: told(({ sink, signal }) => {
      const dead = (): boolean => broken && !signal.aborted;
      let broken = false;
      return {
        push: (update) => dead() || sink.push(update),
        degraded: (problem, error) => {
          if (!dead()) sink.degraded(problem, error);
          broken = true;
        },
      };
    }),
  },
  {
    point: 13,
    fault: "keeps a timer",
    finding: "Timeout",
    create: around(async ({ registry, sink, signal }) => {
      const timer = setInterval(() => undefined, 1000);
      leaks.push(() => clearInterval(timer));
      await registry.run(sink, signal);
    }),
  },
  {
    point: 13,
    fault: "keeps a socket",
    finding: "TCPServerWrap",
    create: around(async ({ registry, sink, signal }) => {
      const server = createServer().listen(0, "127.0.0.1");
      leaks.push(() => server.close());
      await registry.run(sink, signal);
    }),
  },
  {
    point: 13,
    fault: "keeps a listener on the signal",
    finding: "listeners on the signal",
    create: around(async ({ registry, sink, signal }) => {
      const listener = (): void => undefined;
      signal.addEventListener("abort", listener);
      await registry.run(sink, signal);
      signal.addEventListener("abort", listener);
    }),
  },
  {
    point: 13,
    fault: "keeps a sleeper on the clock",
    finding: "sleepers on the clock",
    create: around(async ({ registry, deps, sink, signal }) => {
      void deps.clock.sleep(60_000, new AbortController().signal);
      await registry.run(sink, signal);
    }),
  },
  {
    point: 13,
    fault: "does not hear the abort",
    finding: "run did not resolve",
    create: around(({ registry, sink }) => registry.run(sink, new AbortController().signal)),
  },
  {
    point: 13,
    fault: "rejects when aborted",
    finding: "run rejected after an abort",
    create: around(async ({ registry, sink, signal }) => {
      await registry.run(sink, signal);
      signal.throwIfAborted();
    }),
  },
  {
    point: 13,
    fault: "waits for its pause to pass before it ends",
    finding: "run did not resolve",
    create: (world, deps) => {
      const { clock } = deps;
      const deaf = { now: () => clock.now(), sleep: (ms: number) => clock.sleep(ms, new AbortController().signal) };
      return watch(world, { ...deps, clock: deaf });
    },
  },
  {
    point: 14,
    fault: "runs only once",
    finding: "run ended while waiting for the first snapshot",
    create: (world, deps) => {
      let used = false;
      return around(async ({ registry, sink, signal }) => {
        if (used) throw new Error("used");
        used = true;
        await registry.run(sink, signal);
      })(world, deps);
    },
  },
  {
    point: 15,
    fault: "changes data after push",
    finding: "changed after their push",
    create: updates(
      (() => {
        let last: ServiceRecord | undefined;
        return (update) => {
          if (last !== undefined) Object.assign(last, { instances: [] });
          last = recordsOf(update)[0];
          return update;
        };
      })(),
    ),
  },
  {
    point: 16,
    fault: "drops the provenance of instances",
    finding: "in the provenance of web-1",
    create: updates((update) =>
      records(update, (record) => ({
        ...record,
        instances: record.instances.map(({ provenance: _, ...rest }) => rest as ServiceRecord["instances"][number]),
      })),
    ),
  },
  {
    point: 17,
    fault: "copies labels member by member",
    finding: "the label __proto__ is missing",
    create: updates((update) =>
      records(update, (record) => ({
        ...record,
        instances: record.instances.map((instance) => {
          const labels: Record<string, string> = {};
          for (const [key, value] of Object.entries(instance.labels)) labels[key] = value;
          return { ...instance, labels };
        }),
      })),
    ),
  },
  {
    point: 18,
    fault: "fails the whole read for a value out of range",
    finding: "out of range",
    create: updates((update, { sink }) => {
      if (recordsOf(update).every(({ service }) => service.hostname !== "malformed.memory")) return update;
      sink.degraded("PROTOCOL_ERROR", new RangeError("out of range"));
      return undefined;
    }),
  },
  {
    point: 19,
    fault: "shares what it read with other instances",
    finding: "with 2 instances",
    create: told(({ sink }) => ({
      push: (update) => {
        shared ??= recordsOf(update);
        sink.push(update.type === "snapshot" ? { ...update, records: shared } : update);
      },
    })),
  },
  {
    point: 20,
    fault: "logs its token",
    finding: "the secret is in",
    create: around(async ({ registry, world, deps, sink, signal }) => {
      deps.logger.debug("connecting", { url: `memory://:${world.secret}@source` });
      await registry.run(sink, signal);
    }),
  },
  {
    point: 20,
    fault: "puts its token into an error",
    finding: "the secret is in",
    create: told(({ sink, world }) => ({
      degraded: (problem, error) =>
        sink.degraded(problem, new Error("failed", { cause: { token: world.secret, error } })),
    })),
  },
];

/** Ends what the mutants left behind. Call it after each. */
export function cleanUp(): void {
  shared = undefined;
  for (const end of leaks.splice(0)) end();
}

const leaks: (() => void)[] = [];
