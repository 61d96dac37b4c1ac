import { createDebugServer } from "../server.ts";
import type { DebugServerOptions } from "../options.ts";
import type { DebugSources } from "../sources.ts";
import { sources } from "./world.ts";

/** Asks a server that has these sources for one page. */
export async function get(
  url: string,
  more: Partial<DebugSources> = {},
  options: Partial<DebugServerOptions> = {},
): Promise<{ status: number; headers: Readonly<Record<string, unknown>>; body: string; json: () => unknown }> {
  const server = createDebugServer({ port: 0, sources: sources(more), ...options });
  try {
    const answer = await server.inject({ url, headers: { host: "localhost:15014" } });
    return { ...answer, json: () => JSON.parse(answer.body) as unknown };
  } finally {
    await server.close();
  }
}
