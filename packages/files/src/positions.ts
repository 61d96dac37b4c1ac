import { EVENT_ID, getScalarValue, type Event } from "js-yaml";

/** A place in a text. Both count from 1; columns count UTF-16 units. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** Keys and indexes from the root of a document to one of its values. */
export type DocumentPath = readonly (string | number)[];

/** Finds lines and columns of offsets. Line breaks are LF, CRLF and CR. */
export class LineTable {
  readonly #starts: number[] = [0];

  constructor(text: string) {
    const lineBreak = /\r\n|[\r\n]/g;
    while (lineBreak.exec(text) !== null) this.#starts.push(lineBreak.lastIndex);
  }

  position(offset: number): Position {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - (this.#starts[low] ?? 0) + 1 };
  }
}

/** Where a value and, in a mapping, its key begin. */
export interface PositionNode {
  start: number;
  readonly keyStart: number;
  readonly children: Map<string | number, PositionNode>;
}

interface Frame {
  readonly node: PositionNode;
  readonly kind: "document" | "sequence" | "mapping";
  index: number;
  /** In a mapping: the key that was read and waits for its value. */
  key: { readonly name: string; readonly start: number } | undefined;
}

/** Builds the tree of positions of one document from its parser events. Merged and aliased members have no place of their own. */
export function positionTree(source: string, events: readonly Event[]): PositionNode {
  const root: PositionNode = { start: 0, keyStart: 0, children: new Map() };
  const stack: Frame[] = [];
  let end = 0;
  for (const event of events) {
    if (event.type === EVENT_ID.POP) {
      stack.pop();
      continue;
    }
    if (event.type === EVENT_ID.DOCUMENT) {
      stack.push({ node: root, kind: "document", index: 0, key: undefined });
      continue;
    }
    const found = startOf(event, source);
    const start = found < 0 ? end : found;
    end = Math.max(end, endOf(event, start));
    const parent = stack.at(-1);
    if (parent === undefined) continue;
    const container = event.type === EVENT_ID.SEQUENCE || event.type === EVENT_ID.MAPPING;
    if (parent.kind === "mapping" && parent.key === undefined) {
      const name = event.type === EVENT_ID.SCALAR ? scalarText(source, event) : "";
      parent.key = { name, start };
      // A container as a key is refused when the value is constructed; its events still have to be skipped in step.
      if (container) {
        const skipped: PositionNode = { start, keyStart: start, children: new Map() };
        stack.push({ node: skipped, kind: containerKind(event), index: 0, key: undefined });
      }
      continue;
    }
    const node = attach(parent, start);
    if (container) stack.push({ node, kind: containerKind(event), index: 0, key: undefined });
  }
  return root;
}

/** Offset of the value at `path`, or of its key. Where the path leaves the document, the place of the last part that is there. */
export function offsetAt(root: PositionNode, path: DocumentPath, at: "key" | "value"): number {
  let node = root;
  for (const [depth, part] of path.entries()) {
    const child = node.children.get(part);
    if (child === undefined) return depth === 0 ? node.start : node.keyStart;
    node = child;
  }
  return at === "key" ? node.keyStart : node.start;
}

function attach(parent: Frame, start: number): PositionNode {
  if (parent.kind === "document") {
    parent.node.start = start;
    return parent.node;
  }
  const key = parent.key;
  parent.key = undefined;
  const name = parent.kind === "sequence" ? parent.index++ : (key?.name ?? "");
  const node: PositionNode = { start, keyStart: key?.start ?? start, children: new Map() };
  parent.node.children.set(name, node);
  return node;
}

function containerKind(event: Event): "sequence" | "mapping" {
  return event.type === EVENT_ID.SEQUENCE ? "sequence" : "mapping";
}

function startOf(event: Event, source: string): number {
  if (event.type === EVENT_ID.SCALAR) {
    if (event.valueStart < 0) return -1;
    const quote = source[event.valueStart - 1];
    return quote === '"' || quote === "'" ? event.valueStart - 1 : event.valueStart;
  }
  if (event.type === EVENT_ID.ALIAS) return event.anchorStart - 1;
  return event.type === EVENT_ID.SEQUENCE || event.type === EVENT_ID.MAPPING ? event.start : -1;
}

function endOf(event: Event, start: number): number {
  if (event.type === EVENT_ID.SCALAR) return Math.max(event.valueEnd, start);
  return event.type === EVENT_ID.ALIAS ? event.anchorEnd : start;
}

function scalarText(source: string, event: Extract<Event, { valueStart: number }>): string {
  return event.valueStart < 0 ? "null" : getScalarValue(source, event);
}
