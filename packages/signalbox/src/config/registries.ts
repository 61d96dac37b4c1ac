import type { FreshnessOptions, StartPolicy } from "@signalbox/aggregate";
import { contentHash, didYouMean, registryId, type RegistryId } from "@signalbox/model";
import { ConfigError, type ConfigFault, type RegistryModule } from "@signalbox/registry";
import { builtinModules } from "../builtin.ts";
import { rulesId } from "./check.ts";
import { durationMs } from "./duration.ts";
import { defaults, type RegistryEntry, type SignalboxConfig } from "./schema.ts";
import { secretsFaults } from "./secrets.ts";
import { blindClusterFaults } from "./withdrawal.ts";

/** A registry as the configuration describes it, checked by its own module and ready to be created. */
export interface PlannedRegistry {
  readonly id: RegistryId;
  readonly name: string;
  readonly module: RegistryModule<unknown>;
  readonly config: unknown;
  /** When what it said is too old. */
  readonly freshness: FreshnessOptions;
  /** What happens when it does not speak in time. */
  readonly startPolicy: StartPolicy;
  /** Equal text, equal registry: a reload leaves it alone. */
  readonly fingerprint: string;
}

/**
 * Finds the module of each registry and of each entry of `rules`, and has it check its part; that of `secrets` too, and whether a registry sees all
 * that `drift.withdraw` needs. Reports every fault at once.
 */
export async function planRegistries(
  config: Pick<SignalboxConfig, "registries" | "rules" | "secrets"> & Partial<Pick<SignalboxConfig, "drift">>,
  ownModules: readonly RegistryModule<unknown>[] = [],
): Promise<{ readonly planned: readonly PlannedRegistry[]; readonly faults: readonly ConfigFault[] }> {
  const planned: PlannedRegistry[] = [];
  const faults: ConfigFault[] = [];
  const own = new Map(ownModules.map((module) => [module.provider, module]));
  const sources = [
    ...config.registries.map((entry, index) => ({ entry, at: ["registries", index] as const, keys: undefined })),
    ...config.rules.map((rule, index) => ({
      entry: {
        ...{ provider: "static", name: rulesId(rule.files ?? []).replace(/^static\//, ""), paths: [rule.files].flat() },
        ...{ staleAfter: defaults.staleAfter, expireAfter: defaults.expireAfter, onExpired: defaults.onExpired },
        startPolicy: defaults.startPolicy,
      },
      at: ["rules", index] as const,
      keys: new Map([["paths", "files"]]),
    })),
  ];
  for (const { entry, at, keys } of sources) {
    const module = own.get(entry.provider) ?? (await builtinModules.get(entry.provider)?.());
    if (module === undefined) {
      const known = [...own.keys(), ...builtinModules.keys()].sort();
      faults.push({ path: [...at, "provider"], message: unknownProvider(entry.provider, known) });
      continue;
    }
    try {
      const made = plan(module, entry);
      planned.push(made);
      faults.push(...blindClusterFaults(config, made, at, !own.has(entry.provider)));
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      for (const fault of error.faults) {
        const [first, ...rest] = fault.path;
        const key = first === undefined ? [] : [keys?.get(String(first)) ?? first, ...rest];
        faults.push({ ...fault, path: [...at, ...key] });
      }
    }
  }
  faults.push(...(await secretsFaults(config.secrets)));
  return { planned, faults };
}

function plan(module: RegistryModule<unknown>, entry: RegistryEntry): PlannedRegistry {
  const { provider, name, ...rest } = entry;
  const { staleAfter, expireAfter, onExpired, startPolicy, ...own } = rest;
  const freshness = { staleAfterMs: durationMs(staleAfter), expireAfterMs: durationMs(expireAfter), onExpired };
  const config = module.parseConfig(own);
  return {
    id: registryId(provider, name),
    name,
    module,
    config,
    freshness,
    startPolicy,
    fingerprint: contentHash(rest),
  };
}

function unknownProvider(provider: string, known: readonly string[]): string {
  const near = didYouMean(provider, known);
  const hint = near === undefined ? `; this version has: ${known.join(", ")}` : `; did you mean "${near}"?`;
  return `no adapter for "${provider}"${hint}`;
}
