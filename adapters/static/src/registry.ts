import { setImmediate as nextTurn } from "node:timers/promises";
import { byCodeUnit, registryId, type RegistryId } from "@signalbox/model";
import type { Registry, RegistryDeps, RegistrySink } from "@signalbox/registry";
import { Slices, type Steps } from "@signalbox/slices";
import { problemOf, watchSource, type StaticBatch, type StaticFile, type UnreadableFile } from "./client.ts";
import type { StaticConfig } from "./config.ts";
import { formatFault, gatherContent, type FileContent, type StaticFault } from "./convert/file-content.ts";
import { FileMerge, type FilesDelta } from "./convert/merge-files.ts";
import { fileReader } from "./convert.ts";

/** The name of this kind of registry. */
export const provider = "static";

/** Says what is wrong with the files of a static registry. What they said before is still in force. */
export class StaticFilesError extends Error {
  readonly code = "SBX_STATIC_FILES";
  readonly faults: readonly StaticFault[];
  readonly unreadable: readonly UnreadableFile[];

  constructor(faults: readonly StaticFault[], unreadable: readonly UnreadableFile[]) {
    super([...unreadable.map(({ file, message }) => `${file}: ${message}`), ...faults.map(formatFault)].join("\n"));
    this.name = "StaticFilesError";
    this.faults = faults;
    this.unreadable = unreadable;
  }
}

/** Serves what files say. Each file stands for itself: a bad one keeps its last good content, the others go on. */
export class StaticRegistry implements Registry {
  readonly id: RegistryId;
  readonly #config: StaticConfig;
  readonly #deps: RegistryDeps;

  constructor(config: StaticConfig, deps: RegistryDeps) {
    this.id = registryId(provider, deps.name);
    this.#config = config;
    this.#deps = deps;
  }

  async run(sink: RegistrySink, signal: AbortSignal): Promise<void> {
    const { clock, logger, baseDir, name } = this.#deps;
    const slices = new Slices(clock);
    const contents = new FileMerge();
    const faults = new Map<string, readonly StaticFault[]>();
    let pushed = false;
    let sound = false;
    let told = "";
    const onChange = async (batch: StaticBatch) => {
      const taken = slices.run(this.#taking(batch, contents, faults));
      const delta = await taken;
      // What took long ends with a turn of the event loop, so that what comes of the push is not added to it.
      if (taken instanceof Promise) await nextTurn();
      if (signal.aborted) return;
      const { conflicts } = contents;
      const ordered = [...faults].sort(([a], [b]) => byCodeUnit(a, b)).flatMap(([, found]) => found);
      const wrong = [...ordered, ...conflicts];
      const wasSound = sound;
      sound = wrong.length === 0 && batch.unreadable.length === 0;
      // With nothing readable yet, an empty snapshot would be a false statement.
      const anything = sound || contents.size > 0 || pushed;
      const news = anything && push(sink, pushed ? delta : contents);
      if (anything) pushed = true;
      const trouble = JSON.stringify([conflicts, batch.unreadable]);
      if (trouble !== told) {
        for (const conflict of conflicts) logger.warn("static-file-fault", conflict);
        for (const failure of batch.unreadable) logger.warn("static-file-unreadable", failure);
      }
      told = trouble;
      if (sound && !wasSound) logger.info("static-files-sound", { files: contents.size });
      if (!sound) sink.degraded(problemOf(batch.unreadable), new StaticFilesError(wrong, batch.unreadable));
      else if (!news) sink.alive();
    };
    const onUnchanged = () => {
      if (sound) sink.alive();
    };
    const { cluster = name, maxFileBytes: maxBytes } = this.#config;
    const context = { ...this.#config, registry: this.id, cluster };
    const readerOf = (file: string) => fileReader(file, context, { maxBytes });
    await watchSource({ config: this.#config, baseDir, readerOf, signal, logger, slices, onChange, onUnchanged });
  }

  /** Takes in what files say now, and gives what came of it. */
  *#taking(
    batch: StaticBatch,
    contents: FileMerge,
    faults: Map<string, readonly StaticFault[]>,
  ): Steps<FilesDelta | undefined> {
    const { logger, metrics } = this.#deps;
    for (const file of batch.removed) {
      yield* contents.setting(file, undefined);
      contents.refuse(file, undefined);
      faults.delete(file);
    }
    for (const source of batch.changed) {
      const content = yield* gatherContent(source.file, source.read);
      const found = emptied(source, contents.get(source.file)) ?? content.faults;
      const errors = found.filter((fault) => fault.severity === "error");
      for (const fault of found.slice(0, maximumFaultLines)) logger.warn("static-file-fault", fault);
      const more = found.length - maximumFaultLines;
      if (more > 0) logger.warn("static-file-faults-omitted", { file: source.file, more });
      metrics.counter("static_files_read_total");
      if (errors.length > 0) metrics.counter("static_files_rejected_total");
      // Without older content, the good objects of a whole file are better than none.
      const usable = errors.length === 0 || (content.readable && contents.get(source.file) === undefined);
      if (usable) yield* contents.setting(source.file, content);
      contents.refuse(source.file, errors.length > 0 ? content : undefined);
      if (errors.length > 0) faults.set(source.file, errors);
      else faults.delete(source.file);
    }
    return yield* contents.changing();
  }
}

/** One file gets so many lines in the log each time it is read. */
const maximumFaultLines = 20;

/**
 * A file that had something to say and now holds no document at all was probably truncated by whoever writes it. Nobody
 * means "no services" by an empty file; who does can say so.
 */
function emptied({ file, read }: StaticFile, before: FileContent | undefined): readonly StaticFault[] | undefined {
  if (before === undefined || read.parts.length > 0 || read.errors.length > 0) return undefined;
  const said = before.parts.some(
    ({ content }) => content.records.length + content.workloads.length + content.objects.length > 0,
  );
  if (!said) return undefined;
  const message = "the file is empty now, so what it said before stays; write `services: []` where that is meant";
  return [{ file, document: 0, line: 1, column: 1, field: "", severity: "error", message }];
}

/** Says what changed since the last push: everything the first time. False where nothing did. */
function push(sink: RegistrySink, news: FileMerge | FilesDelta | undefined): boolean {
  if (news instanceof FileMerge) {
    const [records, workloads, objects] = [
      [...news.records.values()],
      [...news.workloads.values()],
      [...news.objects.values()],
    ];
    sink.push({ type: "snapshot", records, workloads, objects });
  } else if (news !== undefined) sink.push({ type: "delta", ...news });
  return news !== undefined;
}
