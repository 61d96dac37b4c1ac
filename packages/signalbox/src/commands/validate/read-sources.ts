import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { byCodeUnit } from "@signalbox/model";
import { CommandFailure, exitCodes } from "../context.ts";

/** A text to validate and the name that it goes by. */
export interface Source {
  readonly file: string;
  /** The text, or why there is none. */
  readonly content: { readonly text: string } | { readonly problem: string };
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const isDocumentName = /\.(?:ya?ml|json)$/i;

/**
 * Reads files, the YAML and JSON files below folders in the order of their names, and standard input for `-`. Names that begin with a dot and links
 * to folders are passed over. A path that is not there ends the command with exit code 2.
 */
export async function* readSources(
  paths: readonly string[],
  stdin: AsyncIterable<Uint8Array | string>,
): AsyncGenerator<Source> {
  for (const path of paths) {
    if (path === "-") {
      yield { file: "-", content: decode(await gatherBytes(stdin)) };
    } else {
      for await (const file of filesAt(path)) yield { file, content: await readContent(file) };
    }
  }
}

async function* filesAt(path: string): AsyncGenerator<string> {
  try {
    if (!(await stat(path)).isDirectory()) {
      yield path;
      return;
    }
  } catch (error) {
    throw new CommandFailure(`${path} cannot be read: ${(error as Error).message}`, exitCodes.usage, { cause: error });
  }
  yield* filesBelow(path);
}

async function* filesBelow(folder: string): AsyncGenerator<string> {
  const entries = await readdir(folder, { withFileTypes: true });
  entries.sort((a, b) => byCodeUnit(a.name, b.name));
  for (const entry of entries) {
    if (entry.name.startsWith(".")) continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesBelow(path);
    else if (isDocumentName.test(entry.name) && (entry.isFile() || (await leadsToFile(path)))) yield path;
  }
}

async function leadsToFile(path: string): Promise<boolean> {
  try {
    return (await stat(path)).isFile();
  } catch {
    return false;
  }
}

async function readContent(file: string): Promise<Source["content"]> {
  try {
    return decode(await readFile(file));
  } catch (error) {
    return { problem: `the file cannot be read: ${(error as Error).message}` };
  }
}

function decode(bytes: Uint8Array): Source["content"] {
  try {
    return { text: decoder.decode(bytes) };
  } catch {
    return { problem: "the file is not UTF-8 text" };
  }
}

async function gatherBytes(stream: AsyncIterable<Uint8Array | string>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}
