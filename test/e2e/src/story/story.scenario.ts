import { CleanUp } from "../faults/clean-up.ts";
import { Report } from "./report.ts";
import { replayTwice } from "./replaying.ts";
import type { StoryResult } from "./result.ts";
import { deathOfAPod, emptyEureka, migration, unreachableCluster } from "./steps.ts";
import { startWorld } from "./world.ts";

// Runs in a private network that has the addresses of the cast. Its argument is how many requests a share is measured by. Prints
// what it saw.

const requests = Number(process.argv[2]);
const cleanUp = new CleanUp();

async function scenario(): Promise<StoryResult> {
  const world = await startWorld(cleanUp);
  const report = new Report(world.daemon);
  try {
    await deathOfAPod(world, report);
    const changesByEmptyEureka = await emptyEureka(world, report);
    await migration(world, report, requests);
    await unreachableCluster(world, report);
    const { explained, rows } = report;
    const replayed = await replayTwice(world.daemon);
    return { rows, explained, nacks: await world.envoy.nacks(), changesByEmptyEureka, replayed };
  } catch (error) {
    const { explained, rows } = report;
    throw new Error(`after ${JSON.stringify({ rows, explained })}\n${world.daemon.log()}`, { cause: error });
  }
}

try {
  process.stdout.write(JSON.stringify(await scenario()));
} finally {
  await cleanUp.run();
}
