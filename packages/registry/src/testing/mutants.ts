import { createServer } from "node:net";
import { setInterval } from "node:timers";
import type { ServiceRecord } from "@signalbox/model";
import { recordsOf } from "../conformance/point.ts";
import type { RegistrySink, RegistryUpdate } from "../registry.ts";
import { mutantsOfState } from "./mutants-of-state.ts";
import { around, records, told, updates, watch } from "./spoil.ts";
import type { Mutant } from "./spoil.ts";

let shared: readonly ServiceRecord[] | undefined;

/** At least one mutant for every point. */
export const mutants: readonly Mutant[] = [
  ...mutantsOfState,
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
    finding: "on the clock",
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
    point: 14,
    fault: "keeps for good what its baseline has",
    finding: "the end of what is only in the baseline",
    create: around(async ({ registry, sink, signal, baseline }) => {
      const before = (await baseline?.load(signal))?.records ?? [];
      const push = (update: RegistryUpdate): void => {
        const known = new Set(recordsOf(update).map(({ service }) => service.hostname));
        const missing = before.filter(({ service }) => !known.has(service.hostname));
        sink.push(update.type === "snapshot" ? { ...update, records: [...update.records, ...missing] } : update);
      };
      const alive = (): void => sink.alive();
      const degraded: RegistrySink["degraded"] = (problem, error) => sink.degraded(problem, error);
      await registry.run({ push, alive, degraded }, signal);
    }),
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
