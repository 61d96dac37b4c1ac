import { didYouMean, type RegistryId } from "@signalbox/model";
import { fits } from "@signalbox/policy";
import type { ConfigFault } from "@signalbox/registry";
import type { SignalboxConfig } from "./schema.ts";

type Merge = Exclude<SignalboxConfig["services"][number]["merge"], undefined>;
type Path = ConfigFault["path"];

/** A registry that a rule names, and where. */
interface Named {
  readonly path: Path;
  readonly pattern: string;
  readonly onKey?: true;
}

/**
 * What rules of services name as a registry and no registry is: a slip there takes the endpoints of all other registries out of a service.
 * Only to be warned of: a registry may be added later. Nothing where there are no registries, as with a process that follows a bus.
 */
export function unknownRegistries(
  { services }: Pick<SignalboxConfig, "services">,
  known: readonly RegistryId[],
): ConfigFault[] {
  if (known.length === 0) return [];
  return services.flatMap(({ merge, ramp }, index) => {
    const at: Path = ["services", index];
    const steps = (ramp?.steps ?? []).flatMap(({ split }, step) =>
      keysOf(split, [...at, "ramp", "steps", step, "split"]),
    );
    return [...(merge === undefined ? [] : ofMerge(merge, [...at, "merge"])), ...steps]
      .filter(({ pattern }) => !known.some((id) => fits(pattern, id)))
      .map(({ pattern, ...place }) => {
        const near = didYouMean(pattern, known);
        const hint = near === undefined ? `there are ${known.join(", ")}` : `did you mean "${near}"?`;
        return { ...place, message: `no registry is ${pattern}; ${hint}` };
      });
  });
}

function ofMerge(merge: Merge, at: Path): Named[] {
  if (merge === "union") return [];
  if ("split" in merge) return keysOf(merge.split, [...at, "split"]);
  if ("authoritative" in merge) return [{ path: [...at, "authoritative"], pattern: merge.authoritative }];
  const [key, patterns] =
    "prefer" in merge ? (["prefer", merge.prefer] as const) : (["failover", merge.failover] as const);
  return patterns.map((pattern, place) => ({ path: [...at, key, place], pattern }));
}

function keysOf(split: Readonly<Record<string, number>>, at: Path): Named[] {
  return Object.keys(split).map((pattern) => ({ path: [...at, pattern], pattern, onKey: true }));
}
