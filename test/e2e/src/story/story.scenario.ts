import { CleanUp } from "../faults/clean-up.ts";
import type { Explained, StepRow, StoryResult } from "./result.ts";
import { deathOfAPod, emptyEureka, migration, unreachableCluster } from "./steps.ts";
import { startWorld } from "./world.ts";

// Runs in a private network that has the addresses of the cast. Its argument is how many requests a share is measured by. Prints
// what it saw.

const requests = Number(process.argv[2]);
const cleanUp = new CleanUp();
const rows: StepRow[] = [];
const explained: Explained[] = [];

async function scenario(): Promise<StoryResult> {
  const world = await startWorld(cleanUp);
  const explain = async (_step: string): Promise<void> => {};
  rows.push(...(await deathOfAPod(world, explain)));
  const { changes, row } = await emptyEureka(world, explain);
  rows.push(row);
  rows.push(...(await migration(world, requests, explain)));
  rows.push(await unreachableCluster(world, explain));
  return { rows, explained, nacks: await world.envoy.nacks(), changesByEmptyEureka: changes };
}

try {
  process.stdout.write(JSON.stringify(await scenario()));
} catch (error) {
  throw new Error(`after: ${JSON.stringify(rows)}`, { cause: error });
} finally {
  await cleanUp.run();
}
