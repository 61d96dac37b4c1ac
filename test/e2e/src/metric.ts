import type { Daemon } from "@signalbox/test-servers";

/** The sum of a metric of a daemon over its labels; 0 for one that it does not have. */
export async function metric({ debugPort }: Daemon, name: string): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${debugPort}/metrics`)).text();
  const samples = [...text.matchAll(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "gm"))];
  return samples.reduce((sum, [, value]) => sum + Number(value), 0);
}
