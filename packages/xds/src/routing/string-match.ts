import type { StringMatcherSchema } from "@signalbox/envoy-api/envoy/type/matcher/v3/string";
import type { StringMatch } from "@signalbox/istio-objects";
import type { Init } from "../messages.ts";

/** How a text is compared, before it is encoded. */
export type StringMatcherInit = Init<typeof StringMatcherSchema>;

/**
 * How Envoy compares a text; undefined where any text will do, if there is one. So it is for a match that says nothing, for the regex `*`,
 * which is none, and for the empty prefix, which Envoy does not take.
 */
export function stringMatcher({ exact, prefix, regex }: StringMatch): StringMatcherInit | undefined {
  if (exact !== undefined) return { matchPattern: { case: "exact", value: exact } };
  if (prefix !== undefined && prefix !== "") return { matchPattern: { case: "prefix", value: prefix } };
  if (regex === undefined || regex === "*") return undefined;
  // Envoy takes no empty expression; it would match the empty text.
  if (regex === "") return { matchPattern: { case: "exact", value: "" } };
  return { matchPattern: { case: "safeRegex", value: { regex } } };
}
