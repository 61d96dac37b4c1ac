import type { HttpMatch, VirtualService } from "@signalbox/istio-objects";
import { canonicalJson } from "@signalbox/model";
import type { Said } from "./finding.ts";

interface Matching {
  readonly match: readonly object[];
}

/** Rules and matches that no call reaches, because earlier ones take all that they ask for. */
export function* unreachableFindings(spec: VirtualService): Generator<Said, void, undefined> {
  yield* unreachable("http", spec.http);
  yield* unreachable("tls", spec.tls);
  yield* unreachable("tcp", spec.tcp);
  yield* coveredPrefixes(spec);
}

function* unreachable(kind: string, routes: readonly Matching[]): Generator<Said, void, undefined> {
  const seen = new Map<string, string>();
  let open: string | undefined;
  for (const [index, route] of routes.entries()) {
    const path = ["spec", kind, index];
    const name = nameOf(route, index);
    if (open !== undefined) {
      yield {
        code: "IST0130",
        path,
        message: `rule ${name} is never reached: rule ${open} before it matches everything`,
      };
      continue;
    }
    if (route.match.length === 0) open = name;
    let duplicates = 0;
    for (const [place, match] of route.match.entries()) {
      const text = canonicalJson({ ...match, name: "" });
      const before = seen.get(text);
      if (before === undefined) {
        seen.set(text, name);
        continue;
      }
      duplicates++;
      const message = `match ${nameOf(match, place)} of rule ${name} is never reached: rule ${before} has the same match`;
      yield { code: "IST0131", path: [...path, "match", place], message };
    }
    if (duplicates > 0 && duplicates === route.match.length) {
      yield { code: "IST0130", path, message: `rule ${name} is never reached: rules before it have all its matches` };
    }
  }
}

/** A match for a prefix, and for nothing else, takes what later matches for longer prefixes ask for. */
function* coveredPrefixes({ http }: VirtualService): Generator<Said, void, undefined> {
  const bare: { readonly prefix: string; readonly ignoreUriCase: boolean; readonly rule: string }[] = [];
  for (const [index, route] of http.entries()) {
    for (const [place, match] of route.match.entries()) {
      const prefix = match.uri?.prefix ?? "";
      if (prefix === "") continue;
      const covering = bare.find(
        (one) => one.ignoreUriCase === match.ignoreUriCase && prefix !== one.prefix && prefix.startsWith(one.prefix),
      );
      const rule = nameOf(route, index);
      if (covering !== undefined) {
        const message = `match ${nameOf(match, place)} of rule ${rule} is never reached: rule ${covering.rule} matches the prefix ${covering.prefix}`;
        yield { code: "IST0131", path: ["spec", "http", index, "match", place], message };
      } else if (isBare(match)) {
        bare.push({ prefix, ignoreUriCase: match.ignoreUriCase, rule });
      }
    }
  }
}

function isBare(match: HttpMatch): boolean {
  const { scheme, method, authority, headers, withoutHeaders, queryParams, sourceLabels, gateways } = match;
  return (
    [scheme, method, authority].every((one) => one === undefined) &&
    [headers, withoutHeaders, queryParams, sourceLabels].every((one) => Object.keys(one).length === 0) &&
    gateways.length === 0 &&
    match.port === 0 &&
    match.sourceNamespace === ""
  );
}

/** Only HTTP rules and matches have names. */
function nameOf(one: object, index: number): string {
  return "name" in one && typeof one.name === "string" && one.name !== "" ? `"${one.name}"` : `#${index}`;
}
