import { checkObject, FaultList, type ObjectFault, type Read } from "@signalbox/istio-objects";
import { canonicalJson, contentHash, objectKey, type ConfigObject } from "@signalbox/model";
import type { Steps } from "@signalbox/slices";
import type { RuleStatus } from "./rule-book.ts";
import type { RuleIndex, Touched } from "./rule-index.ts";
import type { Rule } from "./rule.ts";

interface Held<Spec> {
  /** The last form that could be used. */
  readonly rule: Rule<Spec> | undefined;
  /** Of the newest form, usable or not. */
  readonly hash: string;
  readonly status: RuleStatus;
}

/** Reads objects of one kind, keeps the last good form of each and hands changes on to an index, if the kind has one. */
export class RuleSet<Spec> {
  readonly #read: Read<Spec>;
  readonly #index: RuleIndex<Spec> | undefined;
  readonly #held = new Map<string, Held<Spec>>();

  constructor(read: Read<Spec>, index?: RuleIndex<Spec>) {
    this.#read = read;
    this.#index = index;
  }

  upsert(object: ConfigObject, touched: Touched): void {
    const key = objectKey(object);
    const before = this.#held.get(key);
    const { spec, labels, annotations, createdAt } = object;
    const hash = contentHash({ spec, labels, annotations, createdAt });
    if (before?.hash === hash) return;
    const list = new FaultList();
    const rule: Rule<Spec> = { key, object, spec: this.#read(spec, ["spec"], list) };
    const faults = distinct([...list.faults, ...checkObject(object)]);
    const accepted = faults.every(({ severity }) => severity !== "error");
    const kept = accepted ? rule : before?.rule;
    const inForce = this.#index !== undefined && kept !== undefined;
    this.#held.set(key, { rule: kept, hash, status: { key, accepted, inForce, ...textsOf(faults) } });
    if (kept !== before?.rule) this.#index?.replace(before?.rule, kept, touched);
  }

  remove(key: string, touched: Touched): void {
    const before = this.#held.get(key);
    this.#held.delete(key);
    if (before?.rule !== undefined) this.#index?.replace(before.rule, undefined, touched);
  }

  *settling(touched: Touched): Steps<undefined> {
    if (this.#index?.settling !== undefined) yield* this.#index.settling(touched);
    return undefined;
  }

  /** The form of an object that is in force. */
  rule(key: string): Rule<Spec> | undefined {
    return this.#held.get(key)?.rule;
  }

  /** How each object of the kind fares, in no order. */
  *statuses(): Generator<RuleStatus, void, undefined> {
    for (const { status } of this.#held.values()) yield status;
  }
}

function textsOf(faults: readonly ObjectFault[]): Pick<RuleStatus, "errors" | "warnings"> {
  const say = ({ path, message }: ObjectFault) => `${path.join(".")}: ${message}`;
  return {
    errors: faults.filter(({ severity }) => severity !== "warning").map(say),
    warnings: faults.filter(({ severity }) => severity === "warning").map(say),
  };
}

/** A check reads the spec once more and says again what reading said. */
function distinct(faults: readonly ObjectFault[]): readonly ObjectFault[] {
  const said = new Map<string, ObjectFault>();
  for (const fault of faults) said.set(canonicalJson([fault.path, fault.severity, fault.message]), fault);
  return [...said.values()];
}
