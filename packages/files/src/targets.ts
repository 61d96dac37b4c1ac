import { resolve } from "node:path";
import picomatch from "picomatch";

/** One configured path: a file, a directory with all below it, or a glob. */
export interface Target {
  /** As it was configured. */
  readonly spec: string;
  /** Absolute. The file, the directory, or the fixed folder that the glob starts from. */
  readonly path: string;
  readonly isGlob: boolean;
  /** Whether a file below `path` belongs to the target. The name is relative to `path`, with `/`. */
  readonly selects: (relative: string) => boolean;
  /** How many levels of directories below `path` can hold such files. */
  readonly maxDepth: number;
}

/** Deepest tree that is walked. */
const deepest = 32;

/** Whether a file of a directory is read: YAML and JSON by their endings. */
export function isDocumentName(name: string): boolean {
  return /\.(?:ya?ml|json)$/i.test(name);
}

/** Understands one configured path. A glob may name any ending; `*` and `**` never match a name that begins with a dot. */
export function parseTarget(spec: string, baseDir: string): Target {
  const { base, glob, isGlob } = picomatch.scan(spec);
  if (!isGlob) {
    return { spec, path: resolve(baseDir, spec), isGlob: false, selects: isDocumentName, maxDepth: deepest };
  }
  const maxDepth = glob.includes("**") ? deepest : glob.split("/").length - 1;
  const selects = picomatch(glob, { nonegate: true });
  return { spec, path: resolve(baseDir, base), isGlob: true, selects: (relative) => selects(relative), maxDepth };
}
