import type { FigureName } from "../xds/cell.ts";

/** A place in a built file, and what stands there instead. */
export interface Edit {
  /** Below `packages`. */
  readonly file: string;
  /** Exactly as it is built, once in the file. */
  readonly find: string;
  readonly put: string;
}

/** Where a difference is looked for. */
export interface Look {
  /** The name of a cell of `npm run bench -- xds`; what is beside it is not measured. */
  readonly cell: string;
  /** One that the cell shows. */
  readonly figure: FigureName;
}

/** Something that makes the product quicker or smaller, and how to be without it. The product stays right, only worse. */
export interface Ablation {
  /** For the command line. */
  readonly name: string;
  /** What is switched off. */
  readonly what: string;
  /** Not empty. */
  readonly edits: readonly Edit[];
  readonly looks: readonly Look[];
}

/** Thrown where the built product is not what an edit was written for. */
export class AblationError extends Error {
  readonly code = "SBX_BENCH_ABLATION";

  constructor(message: string) {
    super(message);
    this.name = "AblationError";
  }
}

/** The text of a file after the edits of an ablation. Throws an AblationError that names the edit where its text is not there, or more than once. */
export function edited(text: string, ablation: Pick<Ablation, "name">, edits: readonly Edit[]): string {
  return edits.reduce((found, { file, find, put }) => {
    const times = found.split(find).length - 1;
    if (times === 1) return found.replace(find, () => put);
    const said = times === 0 ? "does not have" : `has ${times} times`;
    throw new AblationError(`${ablation.name}: ${file} ${said} ${JSON.stringify(find)}`);
  }, text);
}

/** The source of what an ablation edits first, below `packages`. */
export function sourceOf({ edits: [first] }: Ablation): string {
  return first?.file.replace("/dist/", "/src/").replace(/\.js$/, ".ts") ?? "";
}
