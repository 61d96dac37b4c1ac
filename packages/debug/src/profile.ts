import { Session } from "node:inspector/promises";
import { setTimeout as delay } from "node:timers/promises";
import { getHeapSnapshot } from "node:v8";
import { failure } from "./answer.ts";
import type { Answer, Page } from "./answer.ts";

const maxSeconds = 60;
const offAnswer = failure(
  404,
  "SBX_PROFILE_OFF",
  "Profiling is off. Switch it on in the debug server's configuration (profile: true) and restart.",
);

/**
 * CPU profile and heap snapshot of this process, for Chrome's developer tools. One at a time; off unless `enabled`, because
 * both cost time and a snapshot holds all that is in memory, secrets too.
 */
export function profilePages(enabled: boolean): Page[] {
  let busy = false;
  const alone = (work: (query: URLSearchParams, signal: AbortSignal) => Promise<Answer>): Page["answer"] => {
    if (!enabled) return () => offAnswer;
    return async (query, signal) => {
      if (busy) return failure(409, "SBX_PROFILE_BUSY", "Another profile is being taken.");
      busy = true;
      let answer: Answer | undefined;
      try {
        answer = await work(query, signal);
        return answer;
      } finally {
        const body = answer?.type === "download" ? answer.body : "";
        if (typeof body === "string") busy = false;
        else body.once("close", () => (busy = false));
      }
    };
  };
  return [
    {
      path: "/debug/pprof/profile",
      help: `CPU profile (.cpuprofile): ?seconds=1 to ${maxSeconds}, 10 by default.`,
      answer: alone(cpuProfile),
    },
    {
      path: "/debug/pprof/heap",
      help: "Heap snapshot (.heapsnapshot). Stops the process while it is taken.",
      answer: alone(heapSnapshot),
    },
  ];
}

async function cpuProfile(query: URLSearchParams, signal: AbortSignal): Promise<Answer> {
  const seconds = Number(query.get("seconds") ?? "10");
  if (!(seconds > 0 && seconds <= maxSeconds))
    return failure(400, "SBX_PROFILE_SECONDS", `seconds must be more than 0 and at most ${maxSeconds}.`);
  const session = new Session();
  session.connect();
  try {
    await session.post("Profiler.enable");
    await session.post("Profiler.start");
    await delay(seconds * 1000, undefined, { signal });
    const { profile } = await session.post("Profiler.stop");
    return {
      type: "download",
      contentType: "application/json",
      fileName: "signalbox.cpuprofile",
      body: JSON.stringify(profile),
    };
  } finally {
    session.disconnect();
  }
}

async function heapSnapshot(): Promise<Answer> {
  // The snapshot is complete when this returns; the stream only carries it out.
  const body = getHeapSnapshot();
  return Promise.resolve({
    type: "download",
    contentType: "application/json",
    fileName: "signalbox.heapsnapshot",
    body,
  });
}
