import { byCodeUnit } from "@signalbox/model";
import { z } from "zod";
import { refusals } from "./failure.ts";
import type { RefusalCode } from "./failure.ts";
import type { Route } from "./route.ts";
import { schemas } from "./schemas.ts";

/** What every route may refuse, and what every write may. */
const always: readonly RefusalCode[] = ["SBX_QUERY"];
const ofWrites: readonly RefusalCode[] = ["SBX_TOKEN", "SBX_WRITES_OFF"];
const ofBodies: readonly RefusalCode[] = ["SBX_BODY", "SBX_BODY_TOO_LARGE", "SBX_CONTENT_TYPE"];

/** Every code that a route may answer with, sorted. */
export function refusalsOf(route: Route): RefusalCode[] {
  const all = [
    ...always,
    ...(route.method === "GET" ? [] : ofWrites),
    ...(route.body === undefined ? [] : ofBodies),
    ...route.refuses,
  ];
  return [...new Set(all)].sort(byCodeUnit);
}

/** The OpenAPI 3.1 document of a table of routes. */
export function openApiDocument(routes: readonly Route[], version: string): object {
  const paths: Record<string, Record<string, object>> = {};
  for (const route of routes) (paths[route.path] ??= {})[route.method.toLowerCase()] = operation(route);
  return {
    openapi: "3.1.0",
    info: {
      title: "Signalbox",
      version,
      description: "What the catalog holds and why, and a person's word on it. Times are epoch milliseconds.",
    },
    paths,
    components: {
      schemas: answerSchemas(),
      securitySchemes: { token: { type: "http", scheme: "bearer" } },
    },
  };
}

function operation(route: Route): object {
  const { answer, body, method, operation: operationId, path, query, status = 200, summary } = route;
  const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
  return {
    operationId,
    summary,
    ...(method !== "GET" && { security: [{ token: [] }] }),
    parameters: [...inPath, ...queryParameters(query)],
    ...(body && {
      requestBody: { required: true, content: json(inputSchema(body)) },
    }),
    responses: {
      [status]: { description: "Done.", content: json(reference(answer)) },
      ...failures(refusalsOf(route)),
    },
  };
}

function failures(codes: readonly RefusalCode[]): Record<string, object> {
  const statuses = [...new Set(codes.map((code) => refusals[code]))].sort((a, b) => a - b);
  return Object.fromEntries(
    statuses.map((status) => {
      const description = codes.filter((code) => refusals[code] === status).join(", ");
      return [status, { description, content: json(reference("Failure")) }];
    }),
  );
}

function json(schema: object): object {
  return { "application/json": { schema } };
}

function reference(name: keyof typeof schemas): object {
  return { $ref: `#/components/schemas/${name}` };
}

interface ObjectSchema {
  readonly properties?: Readonly<Record<string, { readonly description?: string }>>;
  readonly required?: readonly string[];
}

function queryParameters(query: z.ZodRawShape): object[] {
  // Of parameters that become numbers the number is what people want to read about; texts stay what they are.
  const { properties: texts = {}, required = [] } = inputSchema(query) as ObjectSchema;
  const { properties: values = {} } = z.toJSONSchema(z.object(query), {
    io: "output",
    unrepresentable: "any",
  }) as ObjectSchema;
  return Object.entries(texts).map(([name, text]) => {
    const value = values[name] ?? {};
    const { description, ...schema } = "type" in value ? { ...text, ...value, pattern: undefined } : text;
    return {
      name,
      in: "query",
      required: required.includes(name),
      ...(description !== undefined && { description }),
      schema,
    };
  });
}

function inputSchema(shape: z.ZodRawShape): object {
  const { $schema: _, ...schema } = z.toJSONSchema(z.strictObject(shape), { io: "input" });
  return schema;
}

/** Answers may get more members in later releases, so clients must not refuse what they do not know. */
function answerSchemas(): Record<string, object> {
  const registry = z.registry<{ id: string }>();
  for (const [id, schema] of Object.entries(schemas)) registry.add(schema, { id });
  const made = z.toJSONSchema(registry, {
    uri: (id) => `#/components/schemas/${id}`,
    override: ({ jsonSchema }) => {
      if (jsonSchema.additionalProperties === false) delete jsonSchema.additionalProperties;
    },
  });
  return Object.fromEntries(
    Object.entries(made.schemas).map(([id, { $id: _, $schema: __, ...schema }]) => [id, schema]),
  );
}
