import type { HttpMatch, HttpRoute, StringMatch } from "@signalbox/istio-objects";

/**
 * The routes of a delegate as they stand in the place of the root's route. Each is narrowed to what the root's matches leave; one that
 * asks for more than they allow is left out, as with Istio. What a delegate's route does not say, the root's says.
 */
export function delegatedRoutes(root: HttpRoute, delegate: readonly HttpRoute[]): readonly HttpRoute[] {
  return delegate.flatMap((route) => {
    // One level only: a delegate cannot delegate.
    if (route.delegate !== undefined) return [];
    const match = mergedMatches(root.match, route.match);
    return match === undefined ? [] : [mergedRoute(root, route, match)];
  });
}

function mergedRoute(root: HttpRoute, leaf: HttpRoute, match: readonly HttpMatch[]): HttpRoute {
  return {
    ...leaf,
    match,
    name: joinedName(root.name, leaf.name),
    rewrite: leaf.rewrite ?? root.rewrite,
    directResponse: leaf.directResponse ?? root.directResponse,
    timeout: leaf.timeout ?? root.timeout,
    retries: leaf.retries ?? root.retries,
    fault: leaf.fault ?? root.fault,
    mirror: leaf.mirror ?? root.mirror,
    mirrors: leaf.mirrors.length === 0 ? root.mirrors : leaf.mirrors,
    mirrorPercent: leaf.mirrorPercent ?? root.mirrorPercent,
    mirrorPercentage: leaf.mirrorPercentage ?? root.mirrorPercentage,
    corsPolicy: leaf.corsPolicy ?? root.corsPolicy,
    headers: leaf.headers ?? root.headers,
  };
}

function joinedName(root: string, leaf: string): string {
  if (leaf === "") return root;
  return root === "" ? leaf : `${root}-${leaf}`;
}

/** Undefined where one of the delegate's matches fits none of the root's. */
function mergedMatches(root: readonly HttpMatch[], leaf: readonly HttpMatch[]): readonly HttpMatch[] | undefined {
  if (root.length === 0) return leaf;
  if (leaf.length === 0) return root;
  const merged: HttpMatch[] = [];
  for (const inner of leaf) {
    const fitting = root.filter((outer) => !conflict(outer, inner));
    if (fitting.length === 0) return undefined;
    merged.push(...fitting.map((outer) => mergedMatch(outer, inner)));
  }
  return merged;
}

function mergedMatch(root: HttpMatch, leaf: HttpMatch): HttpMatch {
  return {
    ...leaf,
    name: joinedName(root.name, leaf.name),
    uri: leaf.uri ?? root.uri,
    scheme: leaf.scheme ?? root.scheme,
    method: leaf.method ?? root.method,
    authority: leaf.authority ?? root.authority,
    headers: { ...root.headers, ...leaf.headers },
    withoutHeaders: { ...root.withoutHeaders, ...leaf.withoutHeaders },
    queryParams: { ...root.queryParams, ...leaf.queryParams },
    port: leaf.port === 0 ? root.port : leaf.port,
    sourceLabels: { ...root.sourceLabels, ...leaf.sourceLabels },
    sourceNamespace: leaf.sourceNamespace === "" ? root.sourceNamespace : leaf.sourceNamespace,
    gateways: leaf.gateways.length === 0 ? root.gateways : leaf.gateways,
    statPrefix: leaf.statPrefix === "" ? root.statPrefix : leaf.statPrefix,
  };
}

/** Whether the delegate's match asks for something that the root's excludes, or cannot be compared with it. */
function conflict(root: HttpMatch, leaf: HttpMatch): boolean {
  return (
    textConflict(root.uri, leaf.uri) ||
    textConflict(root.scheme, leaf.scheme) ||
    textConflict(root.method, leaf.method) ||
    textConflict(root.authority, leaf.authority) ||
    mapConflict(root.headers, leaf.headers, textConflict) ||
    mapConflict(root.withoutHeaders, leaf.withoutHeaders, textConflict) ||
    mapConflict(root.queryParams, leaf.queryParams, textConflict) ||
    root.ignoreUriCase !== leaf.ignoreUriCase ||
    (root.port > 0 && leaf.port > 0 && root.port !== leaf.port) ||
    (root.sourceNamespace !== "" && leaf.sourceNamespace !== root.sourceNamespace) ||
    mapConflict(root.sourceLabels, leaf.sourceLabels, (outer, inner) => outer !== undefined && outer !== inner) ||
    gatewayConflict(root.gateways, leaf.gateways)
  );
}

function mapConflict<V>(
  root: Readonly<Record<string, V>>,
  leaf: Readonly<Record<string, V>>,
  differ: (root: V | undefined, leaf: V) => boolean,
): boolean {
  return Object.entries(leaf).some(([key, value]) => differ(Object.hasOwn(root, key) ? root[key] : undefined, value));
}

function gatewayConflict(root: readonly string[], leaf: readonly string[]): boolean {
  if (root.length === 0 || leaf.length === 0) return false;
  return root.length < leaf.length || leaf.some((gateway) => !root.includes(gateway));
}

function textConflict(root: StringMatch | undefined, leaf: StringMatch | undefined): boolean {
  if (root === undefined || leaf === undefined) return false;
  const outer = kindOf(root);
  const inner = kindOf(leaf);
  // A regular expression cannot be compared with anything.
  if (outer.kind === "regex" || inner.kind === "regex") return true;
  if (outer.kind === "exact") return inner.kind !== "exact" || inner.text !== outer.text;
  if (outer.kind === "prefix") return inner.kind === "none" || !inner.text.startsWith(outer.text);
  return true;
}

/** How a match compares. An empty text is no comparison, as with Istio. */
function kindOf(match: StringMatch): { readonly kind: "exact" | "prefix" | "regex" | "none"; readonly text: string } {
  for (const kind of ["regex", "exact", "prefix"] as const) {
    const text = match[kind] ?? "";
    if (text !== "") return { kind, text };
  }
  return { kind: "none", text: "" };
}
