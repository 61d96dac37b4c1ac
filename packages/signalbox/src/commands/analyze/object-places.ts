import { parseDocuments, type ParsedDocument } from "@signalbox/files";
import { isIstioVersion, isObjectDocument, type ObjectPath } from "@signalbox/istio-objects";
import { byCodeUnit, objectKey } from "@signalbox/model";

/** A place in a text. Lines and columns count from 1. */
export interface TextPlace {
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

interface Held {
  readonly file: string;
  readonly document: ParsedDocument;
  /** Where the object is in its document. */
  readonly prefix: ObjectPath;
}

/** Where Istio's objects are written. Of several with one key, the first counts, in the order of the names of files. */
export class ObjectPlaces {
  readonly #held = new Map<string, Held>();

  constructor(texts: ReadonlyMap<string, string>) {
    for (const file of [...texts.keys()].sort(byCodeUnit)) {
      for (const document of parseDocuments(texts.get(file) ?? "", { file }).documents) this.#note(file, document);
    }
  }

  /** How many objects there are. */
  get size(): number {
    return this.#held.size;
  }

  /** The place of a field of an object, or of its key, or of what is nearest to it above; undefined where no text has the object. */
  find(key: string, path: ObjectPath, at?: "key" | "value"): TextPlace | undefined {
    const held = this.#held.get(key);
    return held && { file: held.file, ...held.document.positionOf([...held.prefix, ...path], at) };
  }

  /** The key of the object around a document's place, where the document is one object. */
  keyOf(file: string, document: number): string | undefined {
    for (const [key, held] of this.#held)
      if (held.file === file && held.document.index === document && held.prefix.length === 0) return key;
    return undefined;
  }

  #note(file: string, document: ParsedDocument): void {
    const { value } = document;
    const items = listItems(value);
    const found =
      items === undefined ? [[value, []] as const] : items.map((item, at) => [item, ["items", at]] as const);
    for (const [object, prefix] of found) {
      const key = istioKey(object);
      if (key !== undefined && !this.#held.has(key)) this.#held.set(key, { file, document, prefix });
    }
  }
}

function listItems(value: unknown): readonly unknown[] | undefined {
  const { items, kind } = isObjectDocument(value)
    ? (value as { readonly items?: unknown; readonly kind: unknown })
    : {};
  return typeof kind === "string" && kind.endsWith("List") && Array.isArray(items) ? items : undefined;
}

function istioKey(value: unknown): string | undefined {
  if (!isObjectDocument(value)) return undefined;
  const { apiVersion, kind, metadata } = value as Readonly<Record<string, unknown>>;
  if (typeof apiVersion !== "string" || typeof kind !== "string" || !isIstioVersion(apiVersion)) return undefined;
  const { name, namespace } = (metadata ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof name !== "string") return undefined;
  return objectKey({ kind, namespace: typeof namespace === "string" ? namespace : "default", name });
}
