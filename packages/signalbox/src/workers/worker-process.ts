import { workerMain } from "./worker.ts";

// What a worker process runs: `worker-pool.ts` starts it.
await workerMain();
