import { fromBinary } from "@bufbuild/protobuf";
import { typeUrls } from "@signalbox/envoy-api";
import { RouteConfigurationSchema } from "@signalbox/envoy-api/envoy/config/route/v3/route";
import { VirtualHostSchema } from "@signalbox/envoy-api/envoy/config/route/v3/route_components";
import type { CatalogEntry } from "@signalbox/model";
import type { ResourceView } from "@signalbox/xds-server";
import { beforeEach, describe, expect, it } from "vitest";
import { parseNode } from "../node.ts";
import { catalogOf, entryOf } from "../testing/catalog.ts";
import { changedIn, ChangingView } from "../testing/patches.ts";
import { createTranslator, type Translator } from "../translator.ts";
import { DiscoveredHostsView } from "./discovered-hosts-view.ts";

const { route: RDS, virtualHost: VHDS } = typeUrls;

function hostNames(view: ResourceView): readonly string[] {
  return [...view.resources(VHDS).keys()].sort();
}

describe("a view of tables that change", () => {
  let base: ChangingView;
  let view: DiscoveredHostsView;
  const changed = (...names: string[]) => changedIn(view, new Map([[RDS, new Set(names)]]));
  const host = (name: string, ...domains: string[]) => ({ name, domains });

  beforeEach(() => {
    base = new ChangingView();
    base.put(RDS, { name: "80", virtualHosts: [host("a", "a.io"), host("b", "b.io")] });
    view = new DiscoveredHostsView(base);
    expect(hostNames(view)).toEqual(["80/a", "80/b"]);
  });

  it("tells the one virtual host that changed, and leaves the table alone", () => {
    const table = view.resources(RDS).get("80");
    base.put(RDS, { name: "80", virtualHosts: [host("a", "a.io"), host("b", "b.io", "c.io")] });
    expect(changed("80")).toEqual(new Map([[VHDS, new Set(["80/b"])]]));
    expect(view.resources(RDS).get("80")).toBe(table);
    const bytes = view.resources(VHDS).get("80/b")?.bytes ?? new Uint8Array();
    expect(fromBinary(VirtualHostSchema, bytes)).toMatchObject({ name: "80/b", domains: ["b.io", "c.io"] });
  });

  it("tells both virtual hosts between which a domain moves", () => {
    base.put(RDS, { name: "80", virtualHosts: [host("b", "b.io"), host("c", "a.io")] });
    expect(changed("80")).toEqual(new Map([[VHDS, new Set(["80/a", "80/c"])]]));
    expect(hostNames(view)).toEqual(["80/b", "80/c"]);
  });

  it("tells the table alone where only its settings change", () => {
    base.put(RDS, {
      name: "80",
      virtualHosts: [host("a", "a.io"), host("b", "b.io")],
      ignorePortInHostMatching: true,
    });
    expect(changed("80")).toEqual(new Map([[RDS, new Set(["80"])]]));
  });

  it("tells nothing where what is equal is in another order", () => {
    base.put(RDS, { name: "80", virtualHosts: [host("b", "b.io"), host("a", "a.io")] });
    expect(changed("80")).toEqual(new Map());
  });

  it("loses a table with all that was in it, and gets another", () => {
    base.remove(RDS, "80");
    base.put(RDS, { name: "81", virtualHosts: [host("a", "a.io")] });
    expect(changed("80", "81")).toEqual(
      new Map([
        [RDS, new Set(["80", "81"])],
        [VHDS, new Set(["80/a", "80/b", "81/a"])],
      ]),
    );
    expect(hostNames(view)).toEqual(["81/a"]);
  });

  it("gives names that are no names here others", () => {
    base.put(RDS, { name: "80", virtualHosts: [host("a/b", "a"), host("a_b", "b"), host("a_b", "c")] });
    changed("80");
    expect(hostNames(view)).toEqual(["80/a_b", "80/a_b~2", "80/a_b~3"]);
    expect([...view.resources(VHDS).values()].map(({ bytes }) => fromBinary(VirtualHostSchema, bytes).name)).toEqual([
      "80/a_b",
      "80/a_b~2",
      "80/a_b~3",
    ]);
  });

  it.each([
    ["its name has a slash", { name: "a/b", virtualHosts: [host("a", "a.io")] }],
    ["it says where its virtual hosts come from", { name: "own", vhds: { configSource: { self: {} } } }],
  ])("leaves a table whole because %s", (_, table) => {
    const below = base.put(RDS, table);
    changed(table.name);
    expect(view.resources(RDS).get(table.name)).toBe(below);
    expect(hostNames(view)).toEqual(["80/a", "80/b"]);
  });

  it("passes other types on", () => {
    const below = base.put(typeUrls.cluster, { name: "c" });
    expect(view.resources(typeUrls.cluster).get("c")).toBe(below);
    const names = new Map([[typeUrls.cluster, new Set(["c"])]]);
    expect(changedIn(view, names)).toEqual(names);
  });
});

describe("the translator's view with virtual hosts of their own", () => {
  const sidecar = (namespace: string) =>
    parseNode({ id: `sidecar~10.0.0.1~a.${namespace}~${namespace}.svc.cluster.local` });
  let translator: Translator;
  const service = (name: string, more = {}) =>
    entryOf({
      hostname: `${name}.one.svc.cluster.local`,
      namespace: "one",
      ports: [{ number: 80, protocol: "HTTP" }],
      ...more,
    });
  const services = ["a", "b", "c"].map((name) => service(name));

  beforeEach(() => {
    translator = createTranslator();
    translator.apply({ v: 1, type: "snapshot", catalog: catalogOf(services) });
  });

  function change(sequence: number, ...upserted: CatalogEntry[]) {
    return translator.apply({
      v: 1,
      type: "delta",
      previous: { epoch: "1", sequence: sequence - 1 },
      revision: { epoch: "1", sequence },
      delta: {
        entries: { upserted, removed: [] },
        workloads: { upserted: [], removed: [] },
        objects: { upserted: [], removed: [] },
      },
    });
  }

  it("is one for all nodes of equal scope, and another one than that with whole tables", () => {
    const view = translator.view(sidecar("one"), false, true);
    expect(translator.view(sidecar("one"), false, true)).toBe(view);
    expect(translator.view(sidecar("one"))).not.toBe(view);
  });

  it("shares the bytes of equal virtual hosts among scopes", () => {
    const [two, three] = ["two", "three"].map((namespace) => translator.view(sidecar(namespace), false, true));
    expect(two).not.toBe(three);
    const name = "80/a.one.svc.cluster.local:80";
    const bytes = two?.resources(VHDS).get(name)?.bytes;
    expect(bytes).toBeInstanceOf(Uint8Array);
    expect(three?.resources(VHDS).get(name)?.bytes).toBe(bytes);
  });

  it("changes by one virtual host when one service does, for every scope, and its tables stay", () => {
    const views = ["one", "two"].map((namespace) => translator.view(sidecar(namespace), false, true));
    for (const view of views) expect(view.resources(VHDS).size).toBe(4);
    const changes = change(2, service("b", { addresses: ["10.9.0.1"] }));
    for (const view of views) {
      expect(changes.views.get(view)?.get(VHDS)).toEqual(new Set(["80/b.one.svc.cluster.local:80"]));
      expect(changes.views.get(view)?.get(RDS)).toBeUndefined();
    }
  });

  it("has tables without virtual hosts, and counts the virtual hosts", () => {
    const view = translator.view(sidecar("one"), false, true);
    const bytes = view.resources(RDS).get("80")?.bytes ?? new Uint8Array();
    expect(fromBinary(RouteConfigurationSchema, bytes).virtualHosts).toEqual([]);
    expect(translator.resources().get(VHDS)).toBe(4);
  });
});
