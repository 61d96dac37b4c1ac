import { ApiRefusal } from "./failure.ts";
import { readBody, readQuery } from "./input.ts";
import { createMatcher } from "./match.ts";
import { openApiDocument } from "./openapi.ts";
import { headerOf } from "./request.ts";
import type { ApiAnswer, ApiRequest } from "./request.ts";
import type { Route, RouteContext } from "./route.ts";
import { routes } from "./routes.ts";
import type { ApiSources, OptionalSource } from "./sources.ts";
import { authorise } from "./token.ts";

/** Options of `createApi`. */
export interface ApiOptions {
  readonly sources: ApiSources;
  /** Of the program, for the document. */
  readonly version: string;
  /** Epoch milliseconds now. */
  readonly now: () => number;
  /** What writes must bring as `Authorization: Bearer …`; asked at each write. Without it, or where it gives none, writes are off. */
  readonly token?: () => Promise<string | undefined>;
  /** What to configure where a source is absent, for people. There are words for all of them. */
  readonly hints?: Readonly<Partial<Record<OptionalSource, string>>>;
}

/** REST under `/v1`. */
export interface Api {
  /**
   * Answers a request under `/v1`, refusals included. Rejects only when a source does: what went wrong there is for the log and not
   * for the client.
   */
  handle(request: ApiRequest): Promise<ApiAnswer>;
}

/** Makes the API. It keeps nothing: what it shows it asks the sources for at each request. */
export function createApi(options: ApiOptions): Api {
  const match = createMatcher(routes);
  let document: object | undefined;
  const contextOf = ({ remote }: ApiRequest): RouteContext => {
    const { hints = {}, now, sources, version } = options;
    const at = now();
    return {
      sources,
      hints,
      now: at,
      document: () => (document ??= openApiDocument(routes, version)),
      accepted: async (write) => sources.journalled?.({ ...write, at, ...(remote !== undefined && { remote }) }),
    };
  };
  const answer = async (request: ApiRequest): Promise<ApiAnswer> => {
    const { route, parameters } = findRoute(match, request);
    if (route.method !== "GET") authorise(headerOf(request, "authorization"), await options.token?.());
    const query = readQuery(request.query, route.query);
    const body = route.body === undefined ? {} : readBody(request, route.body);
    const value = await route.handle({ parameters, query, body }, contextOf(request));
    return jsonAnswer(request, route.status ?? 200, value);
  };
  return {
    handle: async (request) => {
      try {
        return await answer(request);
      } catch (error) {
        if (!(error instanceof ApiRefusal)) throw error;
        const { code, headers, message, more, status } = error;
        return jsonAnswer(request, status, { error: message, code, ...more }, headers);
      }
    },
  };
}

function findRoute(
  match: ReturnType<typeof createMatcher>,
  { method, path }: ApiRequest,
): { readonly route: Route; readonly parameters: Readonly<Record<string, string>> } {
  const found = match(path);
  if (found === undefined)
    throw new ApiRefusal("SBX_NO_ROUTE", "There is nothing at this path; /v1/openapi.json lists all that there is.");
  const wanted = method === "HEAD" ? "GET" : method;
  const route = found.routes.find((candidate) => candidate.method === wanted);
  if (route !== undefined) return { route, parameters: found.parameters };
  const methods = found.routes.map((candidate) => candidate.method);
  const allow = [...methods, ...(methods.includes("GET") ? ["HEAD"] : [])].sort().join(", ");
  throw new ApiRefusal("SBX_METHOD", `This path answers ${allow}.`, {}, { allow });
}

function jsonAnswer(
  { query }: ApiRequest,
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>> = {},
): ApiAnswer {
  const pretty = query.has("pretty") && !["0", "false"].includes(query.get("pretty") ?? "");
  return {
    status,
    headers: { "content-type": "application/json; charset=utf-8", ...headers },
    body: `${JSON.stringify(value, undefined, pretty ? 2 : 0)}\n`,
  };
}
