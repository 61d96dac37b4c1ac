import { bareRead } from "./bare-read.ts";
import type { MeasuredTask } from "./messages.ts";
import { runAdapter } from "./run-adapter.ts";
import { say } from "./say.ts";

// The entry of a measured process. The parent gives the task, and as soon as it lets go, or dies, this one ends.
const task = JSON.parse(process.argv[2] ?? "") as MeasuredTask;
const stop = new AbortController();
process.once("disconnect", () => stop.abort());
if (task.type === "bare") say(await bareRead(task.source, task.access));
else await runAdapter(task, stop.signal);
