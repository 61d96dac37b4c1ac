import { create, toJsonString } from "@bufbuild/protobuf";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import type { Any } from "@bufbuild/protobuf/wkt";
import { anyRegistry, typeUrls } from "@signalbox/envoy-api";
import type { TypeUrl } from "@signalbox/envoy-api";
import { NodeSchema } from "@signalbox/envoy-api/envoy/config/core/v3/base";
import { ClusterLoadAssignmentSchema } from "@signalbox/envoy-api/envoy/config/endpoint/v3/endpoint";
import { DiscoveryResponseSchema } from "@signalbox/envoy-api/envoy/service/discovery/v3/discovery";
import { join, resolve } from "node:path";
import { systemXdsClock } from "./clock.ts";
import type { XdsClock } from "./clock.ts";
import { byCodeUnits } from "./code-units.ts";
import { pathConfigSource, withConfigSources } from "./file-publisher-config-sources.ts";
import { fileNameOf, PublishedFiles } from "./file-publisher-files.ts";
import type { Resource, ResourceView } from "./resource.ts";
import type { ResourceSource } from "./source.ts";

/** What happened to the files. */
export type FilePublisherEvent =
  /** All files show the newest view. Paths are below the folder; empty lists are not reported. */
  | { readonly type: "files-published"; readonly written: readonly string[]; readonly removed: readonly string[] }
  /** A resource cannot be written, and is left out: the others go on. */
  | {
      readonly type: "file-resource-skipped";
      readonly resourceType: TypeUrl;
      readonly name: string;
      readonly error: string;
    }
  /** Writing failed. It is tried again. */
  | { readonly type: "files-failed"; readonly error: string };

/** What `createFilePublisher` needs. */
export interface FilePublisherOptions {
  readonly source: ResourceSource;
  /** Whose resources are written, as this client would name itself. */
  readonly node: MessageInitShape<typeof NodeSchema>;
  /** Folder for the files; made when absent. Its absolute path is written into the resources. */
  readonly dir: string;
  /** Where the client sees `dir`, when that is another path, for example in a container. */
  readonly clientDir?: string;
  /** Milliseconds from a failed write to the next try; 1000 when absent. */
  readonly retryMs?: number;
  readonly onEvent?: (event: FilePublisherEvent) => void;
  readonly clock?: XdsClock;
}

/** Keeps files as the source has them. */
export interface FilePublisher {
  /** Writes now and after each change until the signal aborts; then resolves. The files stay. */
  run(signal: AbortSignal): Promise<void>;
}

const collections = { [typeUrls.cluster]: "cds.json", [typeUrls.listener]: "lds.json" } as const;
const folders: ReadonlyMap<TypeUrl, string> = new Map([
  [typeUrls.endpoint, "eds"],
  [typeUrls.route, "rds"],
  [typeUrls.secret, "sds"],
]);
const publicMode = 0o644;
const secretMode = 0o600;

/**
 * Writes resources for Envoy's path-based subscription: `cds.json` and `lds.json` with all clusters and listeners, and
 * one file for each load assignment, route table and secret (`eds/<name>.json`, `rds/…`, `sds/…`), because Envoy takes
 * one resource from such a file. References through ADS are changed to these files. A file is replaced by rename, and
 * only when its content changed; what is referred to is written before what refers to it, since Envoy refuses a path
 * that does not exist. Files that an earlier run left in these folders and that are not wanted any more are removed, and
 * files that someone else changed are repaired at the next change. Source: Envoy, `PathConfigSource` and "Filesystem subscriptions".
 */
export function createFilePublisher(options: FilePublisherOptions): FilePublisher {
  return { run: (signal) => new Publishing(options).run(signal) };
}

interface Converted {
  readonly version: string;
  readonly any: Any;
  /** Paths of the files that the resource refers to. */
  readonly needs: ReadonlyMap<string, { readonly type: TypeUrl; readonly name: string }>;
}

class Publishing {
  readonly #options: FilePublisherOptions;
  readonly #files: PublishedFiles;
  readonly #clientDir: string;
  readonly #converted = new Map<TypeUrl, Map<string, Converted>>();
  readonly #skipped = new WeakSet<Resource>();
  #wake: (() => void) | undefined;
  #dirty = true;
  #adopted = false;

  constructor(options: FilePublisherOptions) {
    this.#options = options;
    this.#files = new PublishedFiles(options.dir);
    this.#clientDir = options.clientDir ?? resolve(options.dir);
  }

  async run(signal: AbortSignal): Promise<void> {
    const lease = this.#options.source.acquire(create(NodeSchema, this.#options.node), () => {
      this.#dirty = true;
      this.#wake?.();
    });
    try {
      while (!signal.aborted) {
        this.#dirty = false;
        const view = lease.current();
        const failed = view !== undefined && !(await this.#publish(view));
        if (!this.#isDirty()) await this.#sleep(failed, signal);
      }
    } finally {
      lease.release();
    }
  }

  #isDirty(): boolean {
    return this.#dirty;
  }

  /** Until a change, the signal, or after a failure the time for the next try. */
  async #sleep(failed: boolean, signal: AbortSignal): Promise<void> {
    const { clock = systemXdsClock, retryMs = 1_000 } = this.#options;
    let wake = (): void => {};
    const woken = new Promise<void>((resolveWoken) => {
      wake = () => resolveWoken();
    });
    this.#wake = wake;
    signal.addEventListener("abort", wake, { once: true });
    const cancel = failed ? clock.after(retryMs, wake) : undefined;
    if (signal.aborted) wake();
    await woken;
    cancel?.();
    signal.removeEventListener("abort", wake);
    this.#wake = undefined;
  }

  async #publish(view: ResourceView): Promise<boolean> {
    try {
      const { written, removed } = await this.#write(contentOf(this.#convertAll(view), view));
      if (written.length + removed.length > 0) this.#options.onEvent?.({ type: "files-published", written, removed });
      return true;
    } catch (error) {
      this.#options.onEvent?.({ type: "files-failed", error: reasonOf(error) });
      return false;
    }
  }

  async #write(content: ReadonlyMap<string, string>): Promise<{ written: string[]; removed: string[] }> {
    const written: string[] = [];
    if (!this.#adopted) {
      for (const [type, folder] of folders) await this.#files.adopt(folder, (text) => isFileOf(type, text));
      this.#adopted = true;
    }
    await this.#files.look();
    for (const [path, text] of content) {
      const mode = path.startsWith("sds/") ? secretMode : publicMode;
      if (await this.#files.write(path, text, mode)) written.push(path);
    }
    const removed = [...this.#files.paths()].filter((path) => !content.has(path)).sort(byCodeUnits);
    for (const path of removed) await this.#files.remove(path);
    return { written, removed };
  }

  #convertAll(view: ResourceView): ReadonlyMap<TypeUrl, ReadonlyMap<string, Converted>> {
    for (const type of [typeUrls.cluster, typeUrls.listener, ...folders.keys()]) {
      const before = this.#converted.get(type);
      const after = new Map<string, Converted>();
      for (const resource of view.resources(type).values()) {
        const known = before?.get(resource.name);
        const converted = known?.version === resource.version ? known : this.#convert(type, resource);
        if (converted !== undefined) after.set(resource.name, converted);
      }
      this.#converted.set(type, after);
    }
    return this.#converted;
  }

  #convert(type: TypeUrl, resource: Resource): Converted | undefined {
    const needs = new Map<string, { type: TypeUrl; name: string }>();
    try {
      const any = withConfigSources(type, resource.bytes, (reference) => {
        const path = pathOf(reference.type, reference.name);
        if (path === undefined) return undefined;
        needs.set(path, reference);
        return pathConfigSource(join(this.#clientDir, path));
      });
      fileText("", type, [any]);
      return { version: resource.version, any, needs };
    } catch (error) {
      if (!this.#skipped.has(resource)) {
        this.#skipped.add(resource);
        const { name } = resource;
        this.#options.onEvent?.({ type: "file-resource-skipped", resourceType: type, name, error: reasonOf(error) });
      }
      return undefined;
    }
  }
}

/** All files by path, in the order in which they must be written. */
function contentOf(
  converted: ReadonlyMap<TypeUrl, ReadonlyMap<string, Converted>>,
  view: ResourceView,
): ReadonlyMap<string, string> {
  const single = new Map<TypeUrl, Map<string, string>>();
  const missing = new Map<string, { readonly type: TypeUrl; readonly name: string }>();
  for (const resources of converted.values()) {
    for (const { needs } of resources.values()) for (const [path, reference] of needs) missing.set(path, reference);
  }
  for (const type of folders.keys()) {
    const texts = new Map<string, string>();
    for (const [name, { any, version }] of sorted(converted.get(type))) {
      const path = pathOf(type, name);
      if (path === undefined) continue;
      texts.set(path, fileText(version, type, [any]));
      missing.delete(path);
    }
    single.set(type, texts);
  }
  for (const [path, { type, name }] of missing)
    single.get(type)?.set(path, fileText("", type, placeholder(type, name)));
  const collection = (type: keyof typeof collections): [string, string] => {
    const resources = sorted(converted.get(type)).map(([, { any }]) => any);
    return [collections[type], fileText(view.version(type), type, resources)];
  };
  return new Map([
    ...(single.get(typeUrls.secret) ?? []),
    ...(single.get(typeUrls.endpoint) ?? []),
    collection(typeUrls.cluster),
    ...(single.get(typeUrls.route) ?? []),
    collection(typeUrls.listener),
  ]);
}

/** What stands in a file whose resource is not known yet: the file must exist, and a cluster may go on without endpoints. */
function placeholder(type: TypeUrl, name: string): Any[] {
  if (type !== typeUrls.endpoint) return [];
  return [anyPack(ClusterLoadAssignmentSchema, create(ClusterLoadAssignmentSchema, { clusterName: name }))];
}

function fileText(versionInfo: string, typeUrl: TypeUrl, resources: Any[]): string {
  const response = create(DiscoveryResponseSchema, { versionInfo, typeUrl, resources });
  return `${toJsonString(DiscoveryResponseSchema, response, { registry: anyRegistry, prettySpaces: 2 })}\n`;
}

/** Whether an earlier run may have written this text for a resource of this type. */
function isFileOf(type: TypeUrl, content: string): boolean {
  try {
    const value: unknown = JSON.parse(content);
    return typeof value === "object" && value !== null && "typeUrl" in value && value.typeUrl === type;
  } catch {
    return false;
  }
}

function pathOf(type: TypeUrl, name: string): string | undefined {
  const folder = folders.get(type);
  return folder === undefined ? undefined : `${folder}/${fileNameOf(name)}.json`;
}

function sorted(resources: ReadonlyMap<string, Converted> | undefined): [string, Converted][] {
  return [...(resources ?? [])].sort(([one], [other]) => byCodeUnits(one, other));
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
