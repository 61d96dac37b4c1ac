import { readFile } from "node:fs/promises";
import { CommandFailure, exitCodes, type CommandContext } from "./context.ts";
import { printable } from "./table.ts";

/** Where a daemon's debug port is when nobody says otherwise. */
export const defaultUrl = "http://127.0.0.1:15014";

/** How a command reaches the daemon. */
export interface DaemonFlag {
  readonly url?: string;
  readonly tokenFile?: string;
}

/** One request to a daemon. */
export interface DaemonRequest {
  readonly method?: "GET" | "POST" | "DELETE";
  /** With its escapes. */
  readonly path: string;
  /** Members without a value are left out. */
  readonly query?: Readonly<Record<string, string | undefined>>;
  readonly body?: object;
}

/** A daemon that does not answer at all must not keep a person, or a pipeline, waiting. */
const timeoutMs = 30_000;

/**
 * Asks a running daemon, and resolves with the JSON that it answers. A refusal ends the command with the daemon's words, and `failed`
 * as exit code; so does a daemon that is not there.
 */
export async function askDaemon(
  { tokenFile, url: given }: DaemonFlag,
  request: DaemonRequest,
  context: CommandContext,
  failed: number = exitCodes.failed,
): Promise<unknown> {
  const { SIGNALBOX_URL: fromEnvironment = "" } = context.environment;
  const base = given ?? (fromEnvironment === "" ? defaultUrl : fromEnvironment);
  const url = urlOf(base, request);
  const token = tokenFile === undefined ? undefined : await readToken(tokenFile);
  const { body, method = "GET" } = request;
  let status: number;
  let text: string;
  try {
    const response = await fetch(url, {
      method,
      redirect: "error",
      signal: AbortSignal.timeout(timeoutMs),
      headers: {
        accept: "application/json",
        ...(body && { "content-type": "application/json" }),
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      ...(body && { body: JSON.stringify(body) }),
    });
    status = response.status;
    text = await response.text();
  } catch (error) {
    const { cause, message } = error as Error;
    const why = cause instanceof Error && cause.message !== "" ? cause.message : message;
    throw new CommandFailure(`${base} does not answer: ${why}; --url names another daemon`, failed, { cause: error });
  }
  const value = parse(text);
  if (status < 400 && value !== undefined) return value;
  throw new CommandFailure(printableLines(refusalText(base, status, value, tokenFile)), failed);
}

function urlOf(base: string, { path, query = {} }: DaemonRequest): URL {
  let url: URL;
  try {
    url = new URL(`${base.replace(/\/+$/, "")}${path}`);
    if (url.protocol !== "http:" && url.protocol !== "https:") throw new TypeError("not http or https");
  } catch (error) {
    throw new CommandFailure(`"${base}" is not an address such as ${defaultUrl}`, exitCodes.usage, { cause: error });
  }
  for (const [name, value] of Object.entries(query)) if (value !== undefined) url.searchParams.set(name, value);
  return url;
}

async function readToken(file: string): Promise<string> {
  let token: string;
  try {
    token = (await readFile(file, "utf8")).trim();
  } catch (error) {
    throw new CommandFailure(`${file} cannot be read: ${(error as Error).message}`, exitCodes.usage, { cause: error });
  }
  if (/^[!-~]+$/.test(token)) return token;
  throw new CommandFailure(`${file} holds no token: one line without spaces`, exitCodes.usage);
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function refusalText(base: string, status: number, value: unknown, tokenFile: string | undefined): string {
  const { code, error, ...more } = (typeof value === "object" ? (value ?? {}) : {}) as Record<string, unknown>;
  if (typeof error !== "string" || typeof code !== "string")
    return `${base} answers ${status}, and not as Signalbox does; --url names another daemon`;
  if (code === "SBX_NO_PAGE") return `the Signalbox at ${base} has no API under /v1`;
  const token = code === "SBX_TOKEN" && tokenFile === undefined ? "; --token-file names the file with the token" : "";
  const meant = ["services", "addresses", "near"].flatMap((name) => {
    const { [name]: list } = more;
    return Array.isArray(list) ? list.filter((one): one is string => typeof one === "string") : [];
  });
  const unsaid = meant.filter((one) => !error.includes(one)).map((one) => `\n  ${one}`);
  return `${error.replace(/\.$/, "")}${token} (${code})${unsaid.join("")}`;
}

function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}
