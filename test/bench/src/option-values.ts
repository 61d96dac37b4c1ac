/** Thrown for a command line that makes no sense. */
export class UsageError extends Error {
  readonly code = "SBX_BENCH_USAGE";

  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}

/** What `parse` gives, its failures as UsageErrors. */
export function parsed<T>(parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : "unreadable options");
  }
}

/** The value of an option that counts something. Throws a UsageError. */
export function count(name: string, text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 1) throw new UsageError(`--${name} must be a whole number from 1`);
  return number;
}

/** The value of an option that is a time. Throws a UsageError. */
export function seconds(name: string, text: string): number {
  const number = Number(text);
  if (!(number > 0)) throw new UsageError(`--${name} must be a number above 0`);
  return number;
}
