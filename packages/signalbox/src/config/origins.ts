import type { ConfigFault } from "@signalbox/registry";

/** Where a text came from that is not in the configuration itself. It may be secret. */
export interface Origin {
  /** Stands for the text in messages: `the value of ${TOKEN}`. */
  readonly words: string;
  readonly text: string;
}

/** The texts that came from outside, by place (`JSON.stringify(path)`). */
export type Origins = ReadonlyMap<string, Origin>;

/** The key of a place in `Origins`. */
export function placeKey(path: readonly (string | number)[]): string {
  return JSON.stringify(path);
}

/**
 * Takes texts from outside out of the words of a fault, which an adapter may have quoted, and names where they came from instead. Looks
 * at the texts of the same entry of `registries`, or of the same section.
 */
export function conceal<Fault extends ConfigFault>(fault: Fault, origins: Origins): Fault {
  let { message } = fault;
  for (const [place, { text, words }] of origins) {
    const path = JSON.parse(place) as (string | number)[];
    const related = [0, 1].every(
      (depth) => path[depth] === fault.path[depth] || depth >= Math.min(path.length, fault.path.length),
    );
    if (!related || text === "") continue;
    for (const quoted of [JSON.stringify(text), text]) message = message.replace(wholeWords(quoted), () => words);
    // What was quoted in part only.
    if (text.length > shortest && message.includes(text.slice(0, shortest))) message = `cannot be ${words}`;
  }
  return { ...fault, message };
}

const shortest = 12;

function wholeWords(text: string): RegExp {
  const literal = text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  return new RegExp(`(?<![\\p{L}\\p{N}])${literal}(?![\\p{L}\\p{N}])`, "gu");
}
