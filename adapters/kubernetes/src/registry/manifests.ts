import { isAbsolute, relative } from "node:path";
import { parseDocuments, watchDocuments, type FileBatch, type ParsedText } from "@signalbox/files";
import { istioKinds, type IstioKind } from "@signalbox/istio-objects";
import type { ConfigObject, RegistryId } from "@signalbox/model";
import { formatPath, type Problem } from "@signalbox/registry";
import { parseIstioObject } from "../convert/istio-object.ts";
import { objectName } from "../convert/objects.ts";
import type { KubeSlice } from "../convert/objects.ts";
import { slicesOfEndpoints, slicesOfPods } from "../convert/derive.ts";
import { MalformedObjectError, rawMap } from "../convert/raw.ts";
import type { KubeKind, KubeObjects } from "./cluster-state.ts";
import type { FollowOptions } from "./follow-options.ts";
import { readers } from "./cluster.ts";
import { WholeState } from "./whole-state.ts";

/** What is wrong with a manifest, and where. Lines and columns count from 1. */
export interface ManifestFault {
  readonly file: string;
  /** Counts the documents of the file from 0. */
  readonly document: number;
  readonly line: number;
  readonly column: number;
  /** An object with an error is left out; a warning changes nothing else. */
  readonly severity: "error" | "warning";
  readonly message: string;
}

/** Says what is wrong with manifests. What they said before is still in force. */
export class ManifestsError extends Error {
  readonly code = "SBX_KUBERNETES_MANIFESTS";
  readonly faults: readonly ManifestFault[];

  constructor(faults: readonly ManifestFault[]) {
    super(faults.map(formatManifestFault).join("\n"));
    this.name = "ManifestsError";
    this.faults = faults;
  }
}

/** Writes a fault as `file:line:column: message`. */
export function formatManifestFault({ file, line, column, message }: ManifestFault): string {
  return `${file}:${line}:${column}: ${message}`;
}

type Kept = { readonly [K in KubeKind]: Map<string, KubeObjects[K]> } & {
  readonly Endpoints: Map<string, readonly KubeSlice[]>;
  /** Istio's objects, by `kind/namespace/name`. */
  readonly Istio: Map<string, ConfigObject>;
};

type ManifestPlace = Omit<ManifestFault, "severity" | "message">;

/** One file's objects. */
interface FileContent {
  readonly objects: Kept;
  readonly faults: readonly ManifestFault[];
  /** Where each object is, by `titleOf`. Places cost a second look at the text, so they are made when they are asked for. */
  readonly places: ReadonlyMap<string, () => ManifestPlace>;
}

/** What people call an object. */
function titleOf(kind: keyof Kept, key: string): string {
  return kind === "Istio" ? key : `${kind} ${key}`;
}

/**
 * Reads the objects of one file. Never throws: what is wrong is in `faults`. Other kinds than those of a cluster's services and of Istio are
 * passed over. `registry` is for the provenance of Istio's objects; without it they are passed over, too.
 */
export function readManifest(file: string, parsed: ParsedText, registry?: RegistryId): FileContent {
  const objects = emptyKept();
  const places = new Map<string, () => ManifestPlace>();
  const faults: ManifestFault[] = parsed.errors.map((error) => ({ ...error, severity: "error" }));
  for (const document of parsed.documents) {
    const fault = (error: unknown, severity: ManifestFault["severity"], ...place: Parameters<PositionOf>) => {
      const message = error instanceof Error ? error.message : String(error);
      faults.push({ file, document: document.index, ...document.positionOf(...place), severity, message });
    };
    const items = itemsOf(document.value);
    for (const [index, item] of items.entries()) {
      const prefix = item === document.value ? [] : ["items", index];
      const kept: Noted = (kind, key) => {
        places.set(titleOf(kind, key), () => ({ file, document: document.index, ...document.positionOf(prefix) }));
      };
      try {
        const kind = registry === undefined ? undefined : istioKindOf(item);
        if (kind !== undefined && registry !== undefined) {
          const parsedObject = parseIstioObject(inDefaultNamespace(item), kind, registry);
          for (const { path, at, severity, message } of parsedObject.faults) {
            const shown = severity === "error" ? "error" : "warning";
            fault(`${formatPath(path)}: ${message}`, shown, [...prefix, ...path], at);
          }
          const { value } = parsedObject;
          if (value !== undefined) {
            keep(objects.Istio, "Istio", `${kind.kind}/${value.namespace}/${value.name}`, value, kept);
          }
          continue;
        }
        takeObject(item, objects, (error) => fault(error, "warning", []), kept);
      } catch (error) {
        fault(error, "error", []);
      }
    }
  }
  return { objects, faults, places };
}

type Noted = (kind: keyof Kept, key: string) => void;

type PositionOf = ParsedText["documents"][number]["positionOf"];

/** Istio's kind of a document. A Gateway of the Gateway API is none, though it has the same name. */
function istioKindOf(value: unknown): IstioKind | undefined {
  const { apiVersion, kind } = rawMapOrEmpty(value);
  const [group, version = ""] = typeof apiVersion === "string" ? apiVersion.split("/") : [];
  return istioKinds.find((known) => known.kind === kind && known.group === group && known.versions.includes(version));
}

/** As kubectl does for objects that name none. */
function inDefaultNamespace(value: unknown): Readonly<Record<string, unknown>> {
  const object = rawMap(value, "document");
  return { ...object, metadata: { namespace: "default", ...rawMap(object["metadata"], "metadata") } };
}

/** The items of a list; those of a `ServiceList`, as the API gives it, do not say what they are. */
function itemsOf(value: unknown): readonly unknown[] {
  const { kind, items } = rawMapOrEmpty(value);
  if (typeof kind !== "string" || !kind.endsWith("List") || !Array.isArray(items)) return [value];
  const itemKind = kind.slice(0, -"List".length);
  return itemKind === "" ? items : items.map((item) => ({ kind: itemKind, ...rawMapOrEmpty(item) }));
}

function rawMapOrEmpty(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}

function takeObject(value: unknown, objects: Kept, report: (error: MalformedObjectError) => void, noted: Noted): void {
  const object = rawMap(value, "document");
  const { kind } = object;
  if (typeof kind !== "string") throw new MalformedObjectError("kind", "is missing");
  const metadata = rawMap(object["metadata"], "metadata");
  const namespaced = kind !== "Node" && kind !== "Namespace";
  // As kubectl does for objects that name none.
  const whole = namespaced ? { ...object, metadata: { namespace: "default", ...metadata } } : object;
  if (kind === "Endpoints") {
    keep(objects.Endpoints, kind, objectName(whole), slicesOfEndpoints(whole), noted);
  } else if (isKind(kind)) {
    const item = readers[kind](whole, report);
    if (item !== undefined) keep(objects[kind] as Map<string, typeof item>, kind, objectName(whole), item, noted);
  }
}

function keep<T>(map: Map<string, T>, kind: keyof Kept, key: string, item: T, noted: Noted): void {
  if (map.has(key))
    throw new MalformedObjectError("metadata.name", `${titleOf(kind, key)} is there twice; the first one counts`);
  map.set(key, item);
  noted(kind, key);
}

function isKind(kind: string): kind is KubeKind {
  return Object.hasOwn(readers, kind);
}

function emptyKept(): Kept {
  return {
    Service: new Map(),
    EndpointSlice: new Map(),
    Pod: new Map(),
    Node: new Map(),
    Namespace: new Map(),
    Endpoints: new Map(),
    Istio: new Map(),
  };
}

/** Puts files together, in the order of their names, and adds the slices that controllers would make. */
export function mergeManifests(files: ReadonlyMap<string, FileContent>): FileContent {
  const objects = emptyKept();
  const faults: ManifestFault[] = [];
  const places = new Map<string, () => ManifestPlace>();
  const names = [...files.keys()].sort();
  for (const file of names) {
    const content = files.get(file);
    if (content === undefined) continue;
    faults.push(...content.faults);
    for (const [kind, map] of Object.entries(content.objects)) {
      const merged = objects[kind as keyof Kept] as Map<string, unknown>;
      for (const [key, item] of map) {
        const title = titleOf(kind as keyof Kept, key);
        const place = content.places.get(title) ?? (() => ({ file, document: 0, line: 1, column: 1 }));
        if (!merged.has(key)) {
          merged.set(key, item);
          places.set(title, place);
          continue;
        }
        const first = places.get(title)?.();
        const where = first === undefined ? "in an earlier file" : `at ${first.file}:${first.line}:${first.column}`;
        faults.push({ ...place(), severity: "error", message: `${title} is also ${where}, which counts` });
      }
    }
  }
  addSlices(objects);
  return { objects, faults, places };
}

/** Slices win over Endpoints, of which they are the newer form, and both over what the selector finds. */
function addSlices(objects: Kept): void {
  const served = new Set(
    [...objects.EndpointSlice.values()].map(({ namespace, service }) => `${namespace}/${service}`),
  );
  const add = (key: string, slices: readonly KubeSlice[]) => {
    if (served.has(key)) return;
    for (const [index, slice] of slices.entries()) objects.EndpointSlice.set(`${key}#${index}`, slice);
  };
  for (const [key, service] of objects.Service) {
    add(key, objects.Endpoints.get(key) ?? slicesOfPods(service, objects.Pod.values()));
  }
}

/** Follows manifests until the signal aborts. A file with a mistake keeps its last good content; the others go on. */
export async function followManifests(options: FollowOptions & { readonly paths: readonly string[] }): Promise<void> {
  const { config, context, deps, paths, signal, sink } = options;
  const { baseDir, logger, metrics } = deps;
  const state = new WholeState(context, config.namespaces);
  const registry = config.istio === false ? undefined : context.registry;
  const good = new Map<string, FileContent>();
  const wrong = new Map<string, readonly ManifestFault[]>();
  let synced = false;
  let sound = false;
  const take = (batch: FileBatch): void => {
    for (const path of batch.removed) {
      good.delete(shownName(path, baseDir));
      wrong.delete(shownName(path, baseDir));
    }
    for (const { path, text } of batch.changed) {
      const file = shownName(path, baseDir);
      const content = readManifest(file, parseDocuments(text, { file, maxBytes: config.maxFileBytes }), registry);
      for (const fault of content.faults) logger.warn("kubernetes-manifest-fault", fault);
      const errors = content.faults.filter(({ severity }) => severity === "error");
      if (errors.length > 0) metrics.counter("kubernetes_objects_rejected_total", { kind: "Manifest" });
      // Without older content, the good objects of a file are better than none.
      if (errors.length === 0 || !good.has(file)) good.set(file, { ...content, faults: [] });
      if (errors.length > 0) wrong.set(file, errors);
      else wrong.delete(file);
    }
  };
  await watchDocuments({
    paths,
    baseDir,
    maxBytes: config.maxFileBytes,
    signal,
    logger,
    onChange: (batch) => {
      take(batch);
      const merged = mergeManifests(good);
      const unreadable = batch.failures.map(({ path, message }): ManifestFault => {
        return { file: shownName(path, baseDir), document: 0, line: 1, column: 1, severity: "error", message };
      });
      const faults = [...unreadable, ...[...wrong.values()].flat(), ...merged.faults];
      sound = faults.length === 0;
      // With nothing readable yet, an empty snapshot would be a false statement.
      if (sound || good.size > 0 || synced) {
        putAll(state, merged.objects);
        const update = synced ? state.take() : state.snapshot();
        synced = true;
        if (update !== undefined) sink.push(update);
        else if (sound) sink.alive();
      }
      if (!sound) sink.degraded(problemOf(batch.failures), new ManifestsError(faults));
    },
    onUnchanged: () => {
      if (sound) sink.alive();
    },
  });
}

/** Fills a state with the objects of manifests. */
export function putAll({ kube, istio }: WholeState, objects: Kept): void {
  kube.replace("Namespace", objects.Namespace);
  kube.replace("Node", objects.Node);
  kube.replace("Pod", objects.Pod);
  kube.replace("EndpointSlice", objects.EndpointSlice);
  kube.replace("Service", objects.Service);
  for (const { kind } of istioKinds) {
    const own = [...objects.Istio.values()].filter((object) => object.kind === kind);
    istio.replace(kind, new Map(own.map((object) => [`${object.namespace}/${object.name}`, object])));
  }
}

/** As errors show it: relative to the base folder where it lies below. */
export function shownName(path: string, baseDir: string): string {
  const below = relative(baseDir, path);
  return below === "" || below.startsWith("..") || isAbsolute(below) ? path : below;
}

function problemOf(failures: FileBatch["failures"]): Problem {
  if (failures.length === 0) return "PROTOCOL_ERROR";
  return failures.every(({ code }) => code === "EACCES" || code === "EPERM") ? "AUTH_FAILED" : "UNREACHABLE";
}
