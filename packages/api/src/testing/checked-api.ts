import { expect } from "vitest";
import { z } from "zod";
import { createApi } from "../api.ts";
import type { ApiOptions } from "../api.ts";
import { refusals } from "../failure.ts";
import type { RefusalCode } from "../failure.ts";
import { createMatcher } from "../match.ts";
import { openApiDocument, refusalsOf } from "../openapi.ts";
import { routes } from "../routes.ts";
import { schemas } from "../schemas.ts";
import type { ApiSources } from "../sources.ts";
import { now } from "./world.ts";

/** The document, as clients read it. */
export const document = JSON.parse(JSON.stringify(openApiDocument(routes, "0.1.0"))) as {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, object>> };
};

export interface Operation {
  readonly operationId: string;
  readonly security?: readonly object[];
  readonly parameters: readonly {
    readonly name: string;
    readonly in: string;
    readonly schema: { readonly type: string };
  }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: object }>> };
  readonly responses: Readonly<
    Record<string, { readonly content: Readonly<Record<string, { readonly schema: { readonly $ref: string } }>> }>
  >;
}

const matcher = createMatcher(routes);
const readers = new Map<string, z.ZodType>();

/** The document's schema of that reference, as a reader of JSON Schema understands it. */
function reader($ref: string): z.ZodType {
  let made = readers.get($ref);
  if (made === undefined) {
    const inner = (text: string) => text.replaceAll("#/components/schemas/", "#/$defs/");
    const $defs = JSON.parse(inner(JSON.stringify(document.components.schemas))) as Record<string, object>;
    made = z.fromJSONSchema({ $ref: inner($ref), $defs } as Parameters<typeof z.fromJSONSchema>[0]);
    readers.set($ref, made);
  }
  return made;
}

/** Operations that were answered as asked, so that a test can say which were not. */
export const answered = new Set<string>();
/** Codes with which requests were refused. */
export const refused = new Set<RefusalCode>();

export interface Asked {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: unknown;
}

export interface Told {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly json: unknown;
  readonly text: string;
}

/** Asks the API, and compares every answer with its schema and with what the document says of the route. */
export async function ask(
  sources: ApiSources,
  url: string,
  { body, headers, method = "GET" }: Asked = {},
  options: Partial<ApiOptions> = {},
): Promise<Told> {
  const api = createApi({ sources, version: "0.1.0", now: () => now, ...options });
  const [path = "", query = ""] = url.split("?", 2);
  const bytes = Buffer.isBuffer(body) ? body : Buffer.from(body === undefined ? "" : JSON.stringify(body));
  const answer = await api.handle({
    method,
    path,
    query: new URLSearchParams(query),
    headers: { ...(body !== undefined && { "content-type": "application/json" }), ...headers },
    body: bytes,
    remote: "10.9.9.9",
  });
  expect(answer.headers["content-type"]).toBe("application/json; charset=utf-8");
  const json = JSON.parse(answer.body) as unknown;
  check(method, path, answer.status, json);
  return { status: answer.status, headers: answer.headers, json, text: answer.body };
}

function check(method: string, path: string, status: number, json: unknown): void {
  const found = matcher(path)?.routes.find((route) => route.method === (method === "HEAD" ? "GET" : method));
  if (status >= 400) {
    const { code } = z.object({ error: z.string().min(1), code: z.string() }).parse(json) as { code: RefusalCode };
    expect(refusals[code]).toBe(status);
    refused.add(code);
    if (found === undefined) expect(["SBX_METHOD", "SBX_NO_ROUTE"]).toContain(code);
    else expect(refusalsOf(found)).toContain(code);
  }
  if (found === undefined) return;
  const operation = document.paths[found.path]?.[found.method.toLowerCase()];
  const schema = operation?.responses[String(status)]?.content["application/json"]?.schema;
  expect(schema, `${found.operation} documents ${status}`).toBeDefined();
  expect(reader(schema?.$ref ?? "").safeParse(json).error).toBeUndefined();
  if (status >= 400) return;
  answered.add(found.operation);
  expect(schema?.$ref).toBe(`#/components/schemas/${found.answer}`);
  // The code's own schema is stricter than the document's: no member that is not described.
  expect(schemas[found.answer].safeParse(json).error).toBeUndefined();
}
