import { builtModule, inPrivateNetwork, provideEnvoy, provideJava, provideKube } from "@signalbox/test-servers";
import { addresses } from "./cast.ts";
import type { StoryResult } from "./result.ts";

/** Options of `play`. */
export interface PlayOptions {
  /** How many requests each share is measured by. */
  readonly requests: number;
  readonly timeoutMs: number;
}

/** Plays the whole story in a private network. Rejects with a CommandFailedError when a step does not come to its end. */
export async function play({ requests, timeoutMs }: PlayOptions): Promise<StoryResult> {
  // Nothing can be downloaded in there.
  await provideJava("eureka-server");
  await provideKube();
  await provideEnvoy();
  const script = builtModule("./story.scenario.ts", import.meta.url);
  const output = await inPrivateNetwork({ script, addresses, args: [String(requests)], timeoutMs });
  return JSON.parse(output) as StoryResult;
}
