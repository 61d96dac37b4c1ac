import type {
  HeaderMatcherSchema,
  QueryParameterMatcherSchema,
  RouteMatchSchema,
} from "@signalbox/envoy-api/envoy/config/route/v3/route_components";
import type { MetadataMatcherSchema } from "@signalbox/envoy-api/envoy/type/matcher/v3/metadata";
import type { ValueMatcherSchema } from "@signalbox/envoy-api/envoy/type/matcher/v3/value";
import type { HttpMatch, StringMatch } from "@signalbox/istio-objects";
import { byCodeUnit } from "@signalbox/model";
import type { Init } from "../messages.ts";
import type { RouteInit } from "../routes.ts";
import { stringMatcher } from "./string-match.ts";

type RouteMatchInit = Init<typeof RouteMatchSchema>;
type HeaderMatcherInit = Init<typeof HeaderMatcherSchema>;
type MetadataMatcherInit = Init<typeof MetadataMatcherSchema>;
type ValueMatcherInit = Init<typeof ValueMatcherSchema>;
type PathInit = NonNullable<RouteMatchInit["pathSpecifier"]>;

const anyPath = { case: "prefix", value: "/" } as const;

/** Which requests a rule's match is for; without one, all. A prefix is one of the text: `/foo` takes `/foobar` too, as in Istio. */
export function routeMatch(match: HttpMatch | undefined): RouteMatchInit {
  if (match === undefined) return { pathSpecifier: anyPath };
  const { headers, metadata } = headerMatchers(match);
  const queryParameters = byName(match.queryParams).map(([name, text]) => queryMatcher(name, text));
  return {
    pathSpecifier: pathOf(match.uri),
    caseSensitive: !match.ignoreUriCase,
    ...(headers.length > 0 ? { headers } : {}),
    ...(queryParameters.length > 0 ? { queryParameters } : {}),
    ...(metadata.length > 0 ? { dynamicMetadata: metadata } : {}),
  };
}

/** Does a route take every request, so that none after it is ever reached? */
export function isCatchAll({ match }: RouteInit): boolean {
  if (match === undefined) return false;
  const { pathSpecifier: path, headers = [], queryParameters = [], dynamicMetadata = [] } = match;
  const any =
    (path?.case === "prefix" && path.value === "/") || (path?.case === "safeRegex" && path.value.regex === ".*");
  return any && headers.length === 0 && queryParameters.length === 0 && dynamicMetadata.length === 0;
}

/** Routes of several objects for one host: those that take every request go to the end, each kind in its order, as in Istio's routers. */
export function catchAllLast(routes: readonly RouteInit[]): readonly RouteInit[] {
  return [...routes.filter((route) => !isCatchAll(route)), ...routes.filter(isCatchAll)];
}

function pathOf(uri: StringMatch | undefined): PathInit {
  if (uri?.exact !== undefined) return { case: "path", value: uri.exact };
  if (uri?.prefix !== undefined) return { case: "prefix", value: uri.prefix };
  // Envoy takes no empty expression; no path is empty. A star alone is no expression: as for headers, it is any text.
  if (uri?.regex === "") return { case: "path", value: "" };
  if (uri?.regex !== undefined && uri.regex !== "*") return { case: "safeRegex", value: { regex: uri.regex } };
  return anyPath;
}

function headerMatchers(match: HttpMatch): { headers: HeaderMatcherInit[]; metadata: MetadataMatcherInit[] } {
  const named: [string, HeaderMatcherInit][] = [];
  const metadata: MetadataMatcherInit[] = [];
  for (const [name, text] of byName(match.headers)) {
    const claims = claimsOf(name);
    if (claims === undefined) named.push([name, headerMatcher(name, text)]);
    else metadata.push(claimMatcher(claims, text));
  }
  for (const [name, text] of byName(match.withoutHeaders)) {
    const claims = claimsOf(name);
    // A header that is not there is not the wrong one; a match of mere presence cannot be told so, and need not.
    const absent = stringMatcher(text) === undefined ? {} : { treatMissingHeaderAsEmpty: true };
    if (claims === undefined) named.push([name, { ...headerMatcher(name, text), invertMatch: true, ...absent }]);
    else metadata.push({ ...claimMatcher(claims, text), invert: true });
  }
  const headers = named.sort(([a], [b]) => byCodeUnit(a, b)).map(([, matcher]) => matcher);
  for (const [name, text] of [
    [":method", match.method],
    [":authority", match.authority],
    [":scheme", match.scheme],
  ] as const)
    if (text !== undefined) headers.push(headerMatcher(name, text));
  return { headers, metadata };
}

function headerMatcher(name: string, text: StringMatch): HeaderMatcherInit {
  return { name, headerMatchSpecifier: specifier(text) };
}

function queryMatcher(name: string, text: StringMatch): Init<typeof QueryParameterMatcherSchema> {
  return { name, queryParameterMatchSpecifier: specifier(text) };
}

function specifier(text: StringMatch) {
  const matcher = stringMatcher(text);
  if (matcher === undefined) return { case: "presentMatch", value: true } as const;
  return { case: "stringMatch", value: matcher } as const;
}

const claimPrefix = "@request.auth.claims";

/** The path to a claim of the request's token, which a match names as if it were a header: `@request.auth.claims[a][b]` or `….a.b`. */
function claimsOf(header: string): readonly string[] | undefined {
  if (!header.toLowerCase().startsWith(claimPrefix)) return undefined;
  const path = header.slice(claimPrefix.length);
  if (path.startsWith(".") && path.length > 1) return path.slice(1).split(".");
  if (path.startsWith("[") && path.endsWith("]") && path.length > 2) return path.slice(1, -1).split("][");
  return undefined;
}

/** A claim is one text or a list of them; in a list, one that matches will do. */
function claimMatcher(claims: readonly string[], text: StringMatch): MetadataMatcherInit {
  const matcher = stringMatcher(text);
  const value: ValueMatcherInit =
    matcher === undefined
      ? { matchPattern: { case: "presentMatch", value: true } }
      : { matchPattern: { case: "stringMatch", value: matcher } };
  const inList: ValueMatcherInit = {
    matchPattern: { case: "listMatch", value: { matchPattern: { case: "oneOf", value } } },
  };
  return {
    filter: "envoy.filters.http.jwt_authn",
    path: ["payload", ...claims].map((key) => ({ segment: { case: "key" as const, value: key } })),
    value: { matchPattern: { case: "orMatch", value: { valueMatchers: [inList, value] } } },
  };
}

function byName<T>(map: Readonly<Record<string, T>>): readonly (readonly [string, T])[] {
  return Object.entries(map).sort(([a], [b]) => byCodeUnit(a, b));
}
