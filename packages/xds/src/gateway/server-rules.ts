import { atOnce, type Steps } from "@signalbox/slices";
import type { Routing } from "@signalbox/traffic";
import { tcpRules, tlsRules, type L4Rule, type L4Target } from "../routing/l4-rules.ts";
import type { TableContext } from "./gateway-table.ts";
import type { MergedServer } from "./merge.ts";
import { commonHosts } from "./server-hosts.ts";

/** Routings of VirtualServices that have a host in common with a server, in steps. */
export function* gatheringRoutingsAt(merged: MergedServer, { book, client }: TableContext): Steps<readonly Routing[]> {
  const found: Routing[] = [];
  for (const routing of yield* book.gatheringRoutings(merged.gateway, client)) {
    if (commonHosts(merged.hosts, routing.namespace, routing.hosts).length > 0) found.push(routing);
    yield;
  }
  return found;
}

function routingsAt(merged: MergedServer, context: TableContext): readonly Routing[] {
  return atOnce(gatheringRoutingsAt(merged, context));
}

/** Where all connections of a server go: by the first TCP rule that is for it. Ranges of addresses mean nothing at a gateway. */
export function tcpTarget(merged: MergedServer, context: TableContext): L4Target | undefined {
  for (const routing of routingsAt(merged, context)) {
    const [first] = tcpRules(routing, ruleContext(merged, context));
    if (first !== undefined) return first.target;
  }
  return undefined;
}

/** Where TLS connections of a server go by their server names. A rule with a name that another rule has already is left out whole, as in Istio. */
export function tlsTargets(merged: MergedServer, context: TableContext): readonly Omit<L4Rule, "ranges">[] {
  const taken = new Set<string>();
  return routingsAt(merged, context)
    .flatMap((routing) => tlsRules(routing, ruleContext(merged, context)))
    .filter(({ serverNames }) => {
      const names = serverNames.length > 0 ? serverNames : [""];
      if (names.some((name) => taken.has(name))) return false;
      for (const name of names) taken.add(name);
      return true;
    });
}

function ruleContext({ gateway, port, server }: MergedServer, { destinations }: TableContext) {
  return { port, destinations, gateway: { names: new Set([gateway]), tls: server.tls !== undefined } };
}
