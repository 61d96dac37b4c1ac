import { play } from "./story/play.ts";
import { broken } from "./story/result.ts";
import { tableOf } from "./story/table.ts";

const requests = 10_000;

/** Plays the story, prints its table, and returns the exit code. */
export async function storyCommand(): Promise<number> {
  const say = (text: string) => process.stdout.write(`${text}\n`);
  say("A service moves from Eureka to Kubernetes while pods die and registries fail. This takes about a minute …\n");
  const result = await play({ requests, timeoutMs: 600_000 });
  say(tableOf(result.rows));
  say(`\nEnvoy refused ${result.nacks} updates; ${result.explained.length} endpoints were explained.`);
  const faults = broken(result);
  for (const fault of faults) say(`BROKEN ${fault}`);
  return faults.length === 0 ? 0 : 1;
}
