import { objectKey, registryId, type ConfigObject } from "@signalbox/model";
import { atOnce } from "@signalbox/slices";
import { anyClient, createRuleBook, type Client } from "@signalbox/traffic";
import { describe, expect, it } from "vitest";
import { Directory } from "./directory.ts";
import { meshSettings } from "./mesh.ts";
import { entryOf } from "./testing/catalog.ts";

function object(kind: string, name: string, spec: object): ConfigObject {
  const provenance = { registry: registryId("test", "one"), object: name };
  return { kind, namespace: "shop", name, labels: {}, annotations: {}, spec, provenance };
}

const routing = (name: string, ...hosts: readonly string[]) =>
  object("VirtualService", name, { hosts, http: [{ route: [{ destination: { host: "web" } }] }] });
const none = { upserted: [], removed: [] };

/** A directory without services that follows rules. */
function ruled() {
  const book = createRuleBook();
  const directory = new Directory(meshSettings({}), book);
  const change = (upserted: readonly ConfigObject[], removed: readonly ConfigObject[] = []): readonly string[] => {
    atOnce(directory.applying(none, book.apply({ upserted, removed: removed.map(objectKey) })));
    return [...directory.hosts()].sort();
  };
  return { directory, change };
}

describe("the hosts that only rules know", () => {
  it("are those that a VirtualService names now, however many it named before", () => {
    const { change } = ruled();
    for (let at = 0; at < 100; at++) expect(change([routing("roaming", `host-${at}.io`)])).toEqual([`host-${at}.io`]);
  });

  it("stay while another VirtualService names them", () => {
    const { change, directory } = ruled();
    const [one, other] = [routing("one", "a.io", "b.io"), routing("other", "b.io")];
    expect(change([one, other])).toEqual(["a.io", "b.io"]);
    expect(change([], [one])).toEqual(["b.io"]);
    expect(directory.visible("b.io", anyClient)).toBeDefined();
    expect(change([], [other])).toEqual([]);
    expect(directory.visible("b.io", anyClient)).toBeUndefined();
  });

  it("go with the last wildcard", () => {
    const { change } = ruled();
    const wildcard = routing("wide", "*.io");
    expect(change([wildcard])).toEqual(["*.io"]);
    expect(change([], [wildcard])).toEqual([]);
  });

  it("are not those of DestinationRules, which give no routes", () => {
    const { change } = ruled();
    expect(change([object("DestinationRule", "one", { host: "a.io" })])).toEqual([]);
  });
});

describe("the hosts that clients of a namespace see otherwise", () => {
  const host = "web.shop.svc.cluster.local";
  const ports = [{ number: 80, protocol: "HTTP" as const }];
  const hashing = object("DestinationRule", "web", {
    host,
    trafficPolicy: { loadBalancer: { consistentHash: { httpHeaderName: "x-user" } } },
  });
  const client = (namespace: string): Client => ({ ...anyClient, namespace });

  it.each([
    ["a service that only they see", ["far"], "shop"],
    ["a service with rules that only they have", [], "far"],
  ])("are also those within a wildcard that leads to %s", (_, exportTo, namespace) => {
    const book = createRuleBook();
    const directory = new Directory(meshSettings({}), book);
    const services = [
      { hostname: host, namespace: "shop", ports, exportTo },
      { hostname: "*.a.io", namespace: "shop", ports },
    ];
    const rules = { ...none, upserted: [routing("wide", "*.io"), { ...hashing, namespace }] };
    atOnce(directory.applying({ ...none, upserted: services.map(entryOf) }, book.apply(rules)));
    expect(atOnce(directory.particular(client("far"), ""))).toContain("*.a.io");
    expect(directory.isParticular("*.a.io", client("far"), "")).toBe(true);
    expect(directory.isParticular("*.a.io", client("other"), "")).toBe(false);
  });
});
