import { EVENT_ID, SCALAR_STYLE, type Event } from "js-yaml";

/** A plain scalar that other YAML readers take for something else. */
export interface Ambiguity {
  readonly offset: number;
  readonly message: string;
  /** `refuse`: JSON cannot say the value at all. */
  readonly action: "warn" | "refuse";
}

const boolean = /^(?:y|Y|n|N|yes|Yes|YES|no|No|NO|on|On|ON|off|Off|OFF)$/;
const octal = /^[-+]?0[0-7]+$/;
const sexagesimal = /^[-+]?[1-9][0-9_]*(?::[0-5]?[0-9])+$/;
const underscored = /^[-+]?(?=[0-9_]*_)[1-9][0-9_]*$/;
const notFinite = /^(?:[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))$/;

/**
 * Finds plain scalars that mean something else under YAML 1.1, which kubectl and Istio's tools read, and numbers that JSON cannot say.
 * Quoted scalars are never ambiguous.
 */
export function findAmbiguities(source: string, events: readonly Event[]): readonly Ambiguity[] {
  const found: Ambiguity[] = [];
  for (const event of events) {
    if (event.type !== EVENT_ID.SCALAR || event.style !== SCALAR_STYLE.PLAIN) continue;
    const length = event.valueEnd - event.valueStart;
    if (event.valueStart < 0 || event.tagStart >= 0 || length > 40) continue;
    const text = source.slice(event.valueStart, event.valueEnd);
    const ambiguity = explain(text);
    if (ambiguity !== undefined) found.push({ offset: event.valueStart, ...ambiguity });
  }
  return found;
}

function explain(text: string): Omit<Ambiguity, "offset"> | undefined {
  if (notFinite.test(text)) return { message: `${text} is not a number that JSON can say`, action: "refuse" };
  const other = boolean.test(text)
    ? "a boolean"
    : octal.test(text)
      ? "an octal number"
      : sexagesimal.test(text)
        ? "a number in base 60"
        : underscored.test(text)
          ? "a number"
          : undefined;
  return other && { message: `\`${text}\` is ${other} for kubectl: quote it if it is a text`, action: "warn" };
}
