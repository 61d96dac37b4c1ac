import { constructFromEvents, CORE_SCHEMA, EVENT_ID, mergeTag, parseEvents, YAMLException } from "js-yaml";
import type { ParseOptions } from "./parse-options.ts";
import { positionTree, type PositionNode } from "./positions.ts";
import { findAmbiguities } from "./yaml-11.ts";

/** What one document came to. Offsets count from the start of its text. */
export type ChunkResult =
  | { readonly type: "empty" }
  | {
      readonly type: "error";
      readonly offset: number;
      readonly message: string;
      /** `syntax`: it cannot be taken apart. `meaning`: it can, and what it says is wrong. `aliases`: that may be because of what stands before it. */
      readonly kind: "syntax" | "meaning" | "aliases";
    }
  | {
      readonly type: "value";
      readonly value: unknown;
      readonly warnings: readonly { readonly offset: number; readonly message: string }[];
      /** How many aliases the document has. */
      readonly aliases: number;
    };

/** Bounds of one document, and the name of its file. */
export type ChunkOptions = Pick<ParseOptions, "file" | "maxDepth" | "maxAliases">;

/** Most aliases in one document where nothing else is said. */
export const defaultMaxAliases = 50;
const schema = CORE_SCHEMA.withTags(mergeTag);

/** Reads one document. Never throws. */
export function parseChunk(text: string, options: ChunkOptions): ChunkResult {
  let events: ReturnType<typeof parseEvents> = [];
  try {
    events = parseEvents(text, { maxDepth: options.maxDepth ?? 100, filename: options.file });
    if (isEmpty(events)) return { type: "empty" };
    const ambiguities = findAmbiguities(text, events);
    const refused = ambiguities.find((ambiguity) => ambiguity.action === "refuse");
    if (refused !== undefined)
      return { type: "error", offset: refused.offset, message: refused.message, kind: "meaning" };
    const maxAliases = options.maxAliases ?? defaultMaxAliases;
    const values = constructFromEvents(events, { source: text, filename: options.file, schema, maxAliases });
    const aliases = events.filter((event) => event.type === EVENT_ID.ALIAS);
    if (aliases[0] !== undefined && hasCycle(values[0], new Set())) {
      const message = "an alias refers to a node that contains it";
      return { type: "error", offset: aliases[0].anchorStart - 1, message, kind: "aliases" };
    }
    return { type: "value", value: values[0], warnings: ambiguities, aliases: aliases.length };
  } catch (error) {
    const aliased = events.some((event) => event.type === EVENT_ID.ALIAS);
    const kind = events.length === 0 ? "syntax" : aliased ? "aliases" : "meaning";
    return { type: "error", ...explain(error, text), kind };
  }
}

/** The places of everything in a document that can be read. */
export function treeOf(text: string, options: ChunkOptions): PositionNode {
  return positionTree(text, parseEvents(text, { maxDepth: options.maxDepth ?? 100 }));
}

function isEmpty(events: ReturnType<typeof parseEvents>): boolean {
  // A document has at least its own event and its end; what has many is not empty.
  if (events.length > 5) return false;
  const content = events.filter((event) => event.type !== EVENT_ID.DOCUMENT && event.type !== EVENT_ID.POP);
  const [only] = content;
  if (only === undefined) return true;
  return content.length === 1 && only.type === EVENT_ID.SCALAR && only.valueStart < 0 && only.tagStart < 0;
}

function explain(error: unknown, text: string): { offset: number; message: string } {
  const template = /\{\{.*\}\}/.exec(text);
  const hint = template === null ? "" : "; `{{ … }}` looks like a template: render it first";
  if (!(error instanceof YAMLException)) {
    const reason = error instanceof Error ? error.message : String(error);
    return { offset: 0, message: `cannot be read: ${reason}` };
  }
  const complex = error.reason.includes("complex keys");
  const offset = complex && template !== null ? template.index : (error.mark?.position ?? 0);
  return { offset, message: (complex ? "a key must be a text" : reasonOf(error.reason, text, offset)) + hint };
}

/** The parser's reason, with what probably led to it. */
function reasonOf(reason: string, text: string, offset: number): string {
  const line = text.slice(text.lastIndexOf("\n", offset - 1) + 1);
  if (/^ *\t/.test(line)) return `not YAML: ${reason}; indent with spaces, not with tabs`;
  if (reason === "duplicated mapping key") return `${reason} ${keyAt(text, offset)}`;
  if (reason === "deficient indentation") return `not YAML: ${reason}; is a bracket before it left open?`;
  return `not YAML: ${reason}`;
}

/** The key at a place in a text; the place of a quoted one is within the quotes. */
function keyAt(text: string, offset: number): string {
  const quote = text.charAt(offset - 1);
  const end = quote === '"' || quote === "'" ? quote : undefined;
  const rest = text.slice(offset);
  return JSON.stringify(
    end === undefined ? (/^[^\s:,{}[\]]*/.exec(rest)?.[0] ?? "") : rest.slice(0, rest.indexOf(end)),
  );
}

function hasCycle(value: unknown, ancestors: Set<object>): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (ancestors.has(value)) return true;
  ancestors.add(value);
  for (const member of Object.values(value)) if (hasCycle(member, ancestors)) return true;
  ancestors.delete(value);
  return false;
}
