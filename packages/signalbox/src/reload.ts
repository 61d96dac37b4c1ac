import { canonicalJson, type RegistryId } from "@signalbox/model";
import type { PlannedRegistry } from "./config/registries.ts";

/** A registry that runs now. */
export interface RunningRegistry {
  readonly fingerprint: string;
  /** The lower number wins where two registries disagree. */
  readonly precedence: number;
}

/** What to do with one registry so that the running ones become the planned ones. */
export interface RegistryStep {
  readonly action: "add" | "replace";
  readonly planned: PlannedRegistry;
  readonly precedence: number;
}

/** The way from the running registries to the planned ones. Registries that are not named stay as they are. */
export interface RegistrySteps {
  readonly steps: readonly RegistryStep[];
  readonly removed: readonly RegistryId[];
  /** Registries that changed their place in the order. They keep the old place: only a restart gives them the new one. */
  readonly moved: readonly RegistryId[];
}

/**
 * Compares running registries with planned ones, which come most trusted first. A registry is replaced when its own keys changed. New
 * ones find a place between their neighbours, so that nobody else is disturbed.
 */
export function registrySteps(
  running: ReadonlyMap<RegistryId, RunningRegistry>,
  planned: readonly PlannedRegistry[],
): RegistrySteps {
  const wanted = new Set(planned.map(({ id }) => id));
  const steps: RegistryStep[] = [];
  const moved: RegistryId[] = [];
  const taken = [...running.values()].map(({ precedence }) => precedence);
  let last = -1;
  for (const registry of planned) {
    const current = running.get(registry.id);
    if (current === undefined) {
      last = between(last, taken);
      steps.push({ action: "add", planned: registry, precedence: last });
      continue;
    }
    const { fingerprint, precedence } = current;
    if (fingerprint !== registry.fingerprint) steps.push({ action: "replace", planned: registry, precedence });
    if (precedence > last) last = precedence;
    else moved.push(registry.id);
  }
  return { steps, moved, removed: [...running.keys()].filter((id) => !wanted.has(id)) };
}

/** A number above `low` and below whatever comes next. */
function between(low: number, taken: readonly number[]): number {
  const high = Math.min(...taken.filter((precedence) => precedence > low));
  return high === Infinity ? Math.floor(low) + 1 : (low + high) / 2;
}

/** Keys that a reload can change while everything runs. */
const liveKeys: ReadonlySet<string> = new Set(["$schema", "registries", "rules", "services"]);

/** The fields, as `xds.plaintext.port`, in which two configurations differ and which need a restart to have an effect. Sorted. */
export function restartFields(before: object, after: object): string[] {
  return differences(before, after, "")
    .filter((field) => !liveKeys.has(field.replace(/[.[].*/, "")))
    .sort();
}

function differences(before: unknown, after: unknown, path: string): string[] {
  if (!isMapping(before) || !isMapping(after)) return text(before) === text(after) ? [] : [path];
  const keys = new Set([...Object.keys(before), ...Object.keys(after)]);
  return [...keys].flatMap((key) => differences(before[key], after[key], path === "" ? key : `${path}.${key}`));
}

function isMapping(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function text(value: unknown): string | undefined {
  return value === undefined ? undefined : canonicalJson(value);
}
