import { fromBinary } from "@bufbuild/protobuf";
import { RouteConfigurationSchema } from "@signalbox/envoy-api/envoy/config/route/v3/route";
import { describe, expect, it } from "vitest";
import { EncodedParts } from "./encoded-parts.ts";
import { meshSettings } from "./mesh.ts";
import type { RouteClaim } from "./route-claim.ts";
import { RouteTable } from "./route-table.ts";
import { entryOf } from "./testing/catalog.ts";

const settings = meshSettings({});

const names = ["a", "b", "c"];
const services = new Map(
  names.map((name) => [name, entryOf({ hostname: name, ports: [{ number: 80, protocol: "HTTP" }] }).service]),
);

/** A claim with parts that were encoded anew. */
function claimOf(name: string, ...more: readonly string[]): RouteClaim {
  const service = services.get(name);
  const [port] = service?.ports ?? [];
  if (service === undefined || port === undefined) throw new Error(`no service ${name}`);
  return { parts: new EncodedParts(service, settings), port, full: [name], derived: more };
}

function tableOf(claims: Readonly<Record<string, RouteClaim>>, below?: RouteTable): RouteTable {
  const table = new RouteTable("80", "not-found", true, () => below);
  for (const [key, claim] of Object.entries(claims)) table.claim(key, claim);
  return table;
}

function hostsOf(table: RouteTable): readonly string[] {
  const { virtualHosts } = fromBinary(RouteConfigurationSchema, table.resource().bytes);
  return virtualHosts.map(({ domains, name }) => `${name} ${domains.join()}`);
}

describe("a route table", () => {
  it("stays the same object where a claim is withdrawn and comes back with the same bytes", () => {
    const table = tableOf({ a: claimOf("a"), b: claimOf("b") });
    const before = table.resource();
    table.claim("a", undefined);
    table.claim("a", claimOf("a"));
    expect(table.resource()).toBe(before);
  });

  it.each([
    ["other domains", claimOf("a", "alpha")],
    ["another service", claimOf("c")],
    ["none", undefined],
  ])("is another one where a key has %s now", (_name, claim) => {
    const table = tableOf({ a: claimOf("a"), b: claimOf("b") });
    const before = table.resource().version;
    table.claim("a", claim);
    expect(table.resource().version).not.toBe(before);
    table.claim("a", claimOf("a"));
    expect(table.resource().version).toBe(before);
  });

  it("has the version of a table of its own with the same virtual hosts, over whatever it is laid", () => {
    const below = tableOf({ a: claimOf("a"), b: claimOf("b") });
    const over = tableOf({ b: claimOf("b", "beta"), c: claimOf("c") }, below);
    over.hide("b", true);
    const alone = tableOf({ a: claimOf("a"), b: claimOf("b", "beta"), c: claimOf("c") });
    expect(hostsOf(over)).toEqual(["a:80 a", "b:80 b,beta", "c:80 c", "not_found *"]);
    expect(over.resource()).toMatchObject({ version: alone.resource().version, bytes: alone.resource().bytes });
  });

  it("follows the one below", () => {
    const below = tableOf({ a: claimOf("a"), b: claimOf("b") });
    const over = tableOf({ c: claimOf("c") }, below);
    const before = over.resource();
    expect(over.resource()).toBe(before);
    below.claim("b", claimOf("b", "beta"));
    expect(hostsOf(over)).toEqual(["a:80 a", "b:80 b,beta", "c:80 c", "not_found *"]);
    expect(over.resource().version).not.toBe(before.version);
  });

  it("has one version for one content, whether a domain had to be given to one of several or not", () => {
    const contested = tableOf({ a: claimOf("a"), b: claimOf("b", "a") });
    const plain = tableOf({ a: claimOf("a"), b: claimOf("b") });
    expect(hostsOf(contested)).toEqual(hostsOf(plain));
    expect(contested.resource().version).toBe(plain.resource().version);
  });
});
