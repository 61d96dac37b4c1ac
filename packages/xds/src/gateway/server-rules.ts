import type { Routing } from "@signalbox/traffic";
import { tcpRules, tlsRules, type L4Rule, type L4Target } from "../routing/l4-rules.ts";
import type { TableContext } from "./gateway-table.ts";
import type { MergedServer } from "./merge.ts";
import { commonHosts } from "./server-hosts.ts";

/** Routings of VirtualServices that have a host in common with a server. */
export function routingsAt(merged: MergedServer, { book, client }: TableContext): readonly Routing[] {
  return book
    .gatewayRoutings(merged.gateway, client)
    .filter(({ hosts, namespace }) => commonHosts(merged.hosts, namespace, hosts).length > 0);
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
