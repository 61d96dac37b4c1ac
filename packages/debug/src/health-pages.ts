import type { Answer, Page } from "./answer.ts";
import { sortedBy } from "./order.ts";
import type { DebugSources } from "./sources.ts";

/** Health, readiness and version. */
export function healthPages(sources: DebugSources): Page[] {
  const readiness = (): Answer => readyz(sources);
  return [
    { path: "/healthz", help: "200 while the process answers.", answer: () => ({ type: "text", body: "ok\n" }) },
    { path: "/readyz", help: "200 when clients can be served, else 503 with the reasons.", answer: readiness },
    { path: "/ready", help: "As /readyz; istiod's name for it.", answer: readiness },
    {
      path: "/version",
      help: "Version of Signalbox and Node.js.",
      answer: () => ({ type: "json", value: { ...sources.version, node: process.version } }),
    },
  ];
}

function readyz(sources: DebugSources): Answer {
  const checks = sortedBy(sources.readiness(), ({ name }) => name).map(({ name, note, ready, reason }) => ({
    name,
    ready,
    ...(!ready && { reason: reason ?? "not ready" }),
    ...(note !== undefined && { note }),
  }));
  const ready = checks.every((check) => check.ready);
  return { type: "json", status: ready ? 200 : 503, value: { ready, checks } };
}
