import type { JsonValue } from "@bufbuild/protobuf";
import { inconsistencies } from "@signalbox/xds-server";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { renderView } from "./render.ts";
import { clients, mesh, service } from "./testing/arbitraries.ts";
import { catalogOf, entryOf } from "./testing/catalog.ts";
import { createTranslator } from "./translator.ts";

/** Every value of a member with this name, wherever it stands. */
function all(json: JsonValue, member: string): JsonValue[] {
  if (Array.isArray(json)) return json.flatMap((one) => all(one, member));
  if (typeof json !== "object" || json === null) return [];
  return Object.entries(json).flatMap(([key, value]) => [...(key === member ? [value] : []), ...all(value, member)]);
}

function texts(json: JsonValue, member: string): readonly string[] {
  return all(json, member).filter((value) => typeof value === "string");
}

interface Socket {
  readonly socketAddress: { readonly address: string; readonly portValue: number };
}
interface ListenerJson {
  readonly name: string;
  readonly address?: Socket;
  readonly bindToPort?: boolean;
  readonly filterChains?: readonly { readonly filterChainMatch?: JsonValue }[];
}

describe("what Envoy would refuse is never there", () => {
  it.each(Object.entries(clients))("for a %s", (_, node) => {
    fc.assert(
      fc.property(mesh, fc.array(service, { maxLength: 8 }), (mesh, sketches) => {
        const translator = createTranslator({ mesh });
        translator.apply({ v: 1, type: "snapshot", catalog: catalogOf(sketches.map(entryOf)) });
        const view = translator.view(node);
        expect(inconsistencies(view)).toEqual([]);
        const { listeners, routes, clusters } = renderView(view);

        const known = new Set(clusters.map((cluster) => (cluster as { name: string }).name));
        const named = [...texts([...routes], "cluster"), ...texts([...listeners], "cluster")];
        expect(named.filter((name) => !known.has(name))).toEqual([]);

        for (const table of routes as unknown as readonly {
          virtualHosts: readonly { domains: readonly string[] }[];
        }[]) {
          const domains = table.virtualHosts.flatMap((host) => host.domains.map((domain) => domain.toLowerCase()));
          expect(domains).toEqual([...new Set(domains)]);
          expect(domains.filter((domain) => domain === "*")).toHaveLength(1);
        }

        const sockets: string[] = [];
        for (const listener of listeners as unknown as readonly ListenerJson[]) {
          if (listener.address === undefined) continue;
          const { address, portValue } = listener.address.socketAddress;
          sockets.push(`${address} ${String(portValue)}`);
          const matches = (listener.filterChains ?? []).map(({ filterChainMatch }) =>
            JSON.stringify(filterChainMatch ?? {}),
          );
          expect(matches).toEqual([...new Set(matches)]);
          expect(matches.length).toBeGreaterThan(0);
        }
        expect(sockets).toEqual([...new Set(sockets)]);
      }),
      { numRuns: 60 },
    );
  });
});
