import type { ConsulAnswer } from "../client.ts";
import type { ReaderContext } from "./context.ts";

/** Counts a good answer, `undefined` being one without news. Notes how far behind its leader the server was, where that can be. */
export function countRead(
  { deps }: Pick<ReaderContext, "deps">,
  kind: "list" | "service",
  answer: ConsulAnswer<unknown> | undefined,
): void {
  deps.metrics.counter("consul_reads_total", { kind });
  if (answer?.behindMs !== undefined) deps.metrics.histogram("consul_lag_seconds", answer.behindMs / 1000, { kind });
}
