import { diffContent, formatDiff, JournalBrokenError, JournalVersionError, readJournal } from "@signalbox/journal";
import { canonicalJson, contentHash, type Catalog } from "@signalbox/model";
import { silentLogger } from "@signalbox/registry";
import { replay } from "../replay/replay.ts";
import { CommandFailure, exitCodes, type CommandContext } from "./context.ts";
import { readConfig } from "./read-config.ts";

/** The flags of `signalbox replay`. */
export interface ReplayFlags {
  readonly journal: string;
  readonly config: string;
  readonly base?: string;
  readonly until?: number;
  readonly output: "text" | "json";
}

/**
 * `signalbox replay`: plays a journal through a configuration. With `--base` it prints what is different from another configuration,
 * else the content hash of the catalog; with `-o json` the whole catalog in its canonical form.
 */
export async function replayCommand(
  { base, config, journal, output, until }: ReplayFlags,
  context: CommandContext,
): Promise<void> {
  const play = async (path: string) => {
    const range = until === undefined ? {} : { to: { at: until } };
    const plan = await readConfig(path, context);
    try {
      return await replay(readJournal(journal, range), plan, silentLogger);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT")
        throw new CommandFailure(`there is no journal in ${journal}`, exitCodes.failed);
      if (error instanceof JournalBrokenError || error instanceof JournalVersionError)
        throw new CommandFailure(error.message, exitCodes.failed);
      throw error;
    }
  };
  const result = await play(config);
  for (const id of result.unknown)
    context.stderr.write(`signalbox: the configuration has no registry ${id}; what it said is left out\n`);
  if (output === "json") {
    context.stdout.write(`${canonicalJson(contentOf(result.catalog))}\n`);
    return;
  }
  if (base !== undefined) {
    const before = await play(base);
    context.stdout.write(`${formatDiff(diffContent(before.catalog.entries, result.catalog.entries))}\n`);
  }
  const { catalog, records } = result;
  context.stdout.write(
    `${records} records, ${catalog.entries.size} services, content hash ${contentHash(contentOf(catalog))}\n`,
  );
}

/** Services and endpoints as clients get them: without what is only for people. */
function contentOf({ entries }: Catalog): object {
  return Object.fromEntries(
    [...entries.values()].map(({ instances, key, service, versions }) => {
      const { provenance: _, ...content } = service;
      return [
        key,
        { versions, service: content, instances: instances.map(({ findings: __, provenance: ___, ...rest }) => rest) },
      ];
    }),
  );
}
