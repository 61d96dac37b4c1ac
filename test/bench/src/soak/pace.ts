import { now } from "../time.ts";

/** The times at which seconds begin whose clock runs faster than the machine's. */
export class Pace {
  readonly #scale: number;
  readonly #began = now();

  /** The first second begins now. */
  constructor(scale: number) {
    this.#scale = scale;
  }

  /** Waits until so many seconds are over: not at all for whoever is late. */
  async reached(seconds: number): Promise<void> {
    const left = this.#began + (seconds * 1000) / this.#scale - now();
    if (left > 0) await new Promise((resolve) => setTimeout(resolve, left));
  }
}

/** More of the clock than this for each second of changes is told. */
const tolerated = 1.05;

/**
 * What a reader should know when a machine was too slow for its clock: `passed` seconds of the clock went by while `asked` seconds of `churn`
 * changes each were made. Empty where it kept up.
 */
export function lagRemarks(asked: number, passed: number, churn: number): readonly string[] {
  if (passed <= asked * tolerated) return [];
  const [minutes, wanted] = [passed, asked].map((seconds) => (seconds / 60).toFixed(1));
  const made = Math.round((churn * asked) / passed);
  return [
    `The machine fell behind: changes for ${wanted} minutes took ${minutes} minutes of the product's clock, ${made} a second rather than ${churn}.`,
    "Growth is for each hour of changes all the same. A smaller --scale gives the machine more time.",
  ];
}
