import { parseDocuments, type DocumentPath } from "@signalbox/files";
import { registryId, type ConfigObject, type ServiceRecord, type Workload } from "@signalbox/model";
import type { RegistryModule } from "@signalbox/registry";
import { readSource } from "./client.ts";
import { parseStaticConfig, type StaticConfig } from "./config.ts";
import { fileContent, type StaticFault } from "./convert/file-content.ts";
import { FileMerge } from "./convert/merge-files.ts";
import { convertDocument, fileReader } from "./convert.ts";
import { provider, StaticRegistry } from "./registry.ts";

export { formatFault } from "./convert/file-content.ts";
export { StaticFilesError } from "./registry.ts";
export type { UnreadableFile } from "./client.ts";
export type { StaticConfig } from "./config.ts";
export type { Place, StaticFault } from "./convert/file-content.ts";

/** Services, workloads and Istio objects from YAML and JSON files. */
export const staticModule: RegistryModule<StaticConfig> = {
  provider,
  parseConfig: parseStaticConfig,
  create: (config, deps) => new StaticRegistry(config, deps),
};

/** All that files say at one moment. */
export interface StaticContent {
  readonly records: readonly ServiceRecord[];
  readonly workloads: readonly Workload[];
  readonly objects: readonly ConfigObject[];
  /** All mistakes, each with its place; files that cannot be read are at line 1. Objects with errors are left out. */
  readonly faults: readonly StaticFault[];
}

/**
 * Reads files once, for commands that need no daemon. `paths` are as in the configuration; `name` is the registry's name in provenances.
 * Never throws for what files hold: see `faults`. Throws a ConfigError for a configuration that cannot be used.
 */
export async function readStatic(
  input: string | readonly string[] | (Partial<StaticConfig> & Pick<StaticConfig, "paths">),
  options: { readonly baseDir?: string; readonly name?: string } = {},
): Promise<StaticContent> {
  const { baseDir = process.cwd(), name = "files" } = options;
  const config = parseStaticConfig(typeof input === "string" || Array.isArray(input) ? { paths: input } : input);
  const context = { ...config, registry: registryId(provider, name), cluster: config.cluster ?? name };
  const readerOf = (file: string) => fileReader(file, context, { maxBytes: config.maxFileBytes });
  const batch = await readSource({ config, baseDir, readerOf });
  const contents = new Map(batch.changed.map(({ file, read }) => [file, fileContent(file, read)]));
  const { records, workloads, objects, conflicts } = new FileMerge(contents);
  const unreadable = batch.unreadable.map(({ file, message }): StaticFault => {
    return { file, document: 0, line: 1, column: 1, severity: "error", field: "", message };
  });
  const faults = [...unreadable, ...[...contents.values()].flatMap((content) => content.faults), ...conflicts];
  return {
    records: [...records.values()],
    workloads: [...workloads.values()],
    objects: [...objects.values()],
    faults,
  };
}

/**
 * Reads the services that texts have in the short form, by names for faults. Documents with anything but `services` are passed over, also those
 * that cannot be read. `name` is the registry's name in provenances. Never throws: see `faults`.
 */
export function readShortServices(
  texts: ReadonlyMap<string, string>,
  { name = "files" }: { readonly name?: string } = {},
): Pick<StaticContent, "records" | "faults"> {
  const config = parseStaticConfig({ paths: "-" });
  const context = { ...config, registry: registryId(provider, name), cluster: name };
  const contents = new Map(
    [...texts].map(([file, text]) => {
      const documents = parseDocuments(text, { file }).documents.filter(({ value }) => isShortForm(value));
      const parts = documents.map((document) => ({
        document: document.index,
        path: [],
        content: convertDocument(file, context, document.value),
        positionOf: (path: DocumentPath, at?: "key" | "value") => document.positionOf(path, at),
      }));
      return [file, fileContent(file, { parts, errors: [], warnings: [] })] as const;
    }),
  );
  const { records, conflicts } = new FileMerge(contents);
  const faults = [...contents.values()].flatMap((content) => content.faults);
  return { records: [...records.values()], faults: [...faults, ...conflicts] };
}

/** Whether a document holds services in the short form, and nothing else. */
export function isShortForm(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  const [key, ...more] = Object.keys(value);
  return key === "services" && more.length === 0;
}
