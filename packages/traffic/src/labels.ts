import type { Labels } from "@signalbox/model";

/** Whether a workload with these labels is selected: every label of the selector is there. An empty selector selects all. */
export function selects(selector: Labels, labels: Labels): boolean {
  return Object.entries(selector).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value);
}
