import { fileURLToPath } from "node:url";
import { provideGoProgram } from "@signalbox/test-servers";

/** Paths of the two Go programs. */
export interface Programs {
  readonly loadClient: string;
  readonly peer: string;
}

/** Builds both, or finds them in the cache. Rejects where Go is missing. */
export async function providePrograms(signal: AbortSignal): Promise<Programs> {
  const options = { signal, onBuild: (name: string) => void process.stderr.write(`xds: building ${name}\n`) };
  // src/ and dist/ are equally deep.
  const program = (name: string) =>
    provideGoProgram(name, fileURLToPath(new URL(`../../${name}`, import.meta.url)), options);
  return { loadClient: await program("load-client"), peer: await program("peer") };
}
