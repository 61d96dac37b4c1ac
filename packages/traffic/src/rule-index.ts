import type { Steps } from "@signalbox/slices";
import type { Rule } from "./rule.ts";

/** What a change touches, while it is gathered. Says what `RuleTouches` says. */
export class Touched {
  readonly hosts = new Set<string>();
  readonly gateways = new Set<string>();
  readonly sidecars = new Set<string>();
  readonly envoyFilters = new Set<string>();
  signatures = false;
}

/** Rules of one kind, kept so that questions about them are cheap. */
export interface RuleIndex<Spec> {
  /** Puts `after` in the place of `before`; at least one of them is there, and they differ. */
  replace(before: Rule<Spec> | undefined, after: Rule<Spec> | undefined, touched: Touched): void;
  /** Called after the last `replace` of one change, before the next question. */
  settling?(touched: Touched): Steps<undefined>;
}
