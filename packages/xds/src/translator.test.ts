import { typeUrls } from "@signalbox/envoy-api";
import { objectKey, registryId, type CatalogEntry, type ConfigObject } from "@signalbox/model";
import type { ResourceView } from "@signalbox/xds-server";
import { describe, expect, it } from "vitest";
import { parseNode } from "./node.ts";
import { renderView } from "./render.ts";
import { catalogOf, entryOf, type ServiceSketch } from "./testing/catalog.ts";
import { createTranslator, type Translator } from "./translator.ts";

const sidecar = parseNode({ id: "sidecar~10.0.0.1~a.default~default.svc.cluster.local" });
const web: ServiceSketch = {
  hostname: "web.default.svc.cluster.local",
  addresses: ["10.9.0.1"],
  ports: [
    { number: 80, protocol: "HTTP" },
    { number: 3306, protocol: "TCP" },
  ],
  instances: [{ address: "10.0.0.7:80" }],
};

function translatorOf(...services: readonly ServiceSketch[]): Translator {
  const translator = createTranslator();
  translator.apply({ v: 1, type: "snapshot", catalog: catalogOf(services.map(entryOf)) });
  return translator;
}

function upsert(translator: Translator, ...entries: readonly CatalogEntry[]) {
  const previous = translator.revision ?? { epoch: "1", sequence: 0 };
  const none = { upserted: [], removed: [] };
  return translator.apply({
    v: 1,
    type: "delta",
    previous,
    revision: { epoch: previous.epoch, sequence: previous.sequence + 1 },
    delta: { entries: { upserted: entries, removed: [] }, workloads: none, objects: none },
  });
}

function names(view: ResourceView, type: (typeof typeUrls)[keyof typeof typeUrls]): readonly string[] {
  return [...view.resources(type).keys()].sort();
}

describe("what a node's addresses find", () => {
  it.each(["2001:db8::1", "2001:DB8:0:0:0:0:0:1"])("are its inbound ports, spelled %s", (ip) => {
    const translator = translatorOf({ ...web, instances: [{ address: "[2001:db8::1]:8080" }] });
    const view = translator.view(parseNode({ id: `sidecar~${ip}~a.one~one.svc.cluster.local` }));
    expect(names(view, typeUrls.cluster)).toContain("inbound|8080||");
  });
});

describe("who has a hostname", () => {
  it("is a service with a date before one without", () => {
    const one = { ...web, hostname: "web.test", addresses: [] };
    const translator = translatorOf(
      { ...one, namespace: "dated", createdAt: 5, instances: [{ address: "10.0.0.1:80" }] },
      { ...one, namespace: "undated", instances: [{ address: "10.0.0.2:80" }] },
    );
    const text = JSON.stringify(renderView(translator.view(sidecar)).endpoints);
    expect([text.includes("10.0.0.1"), text.includes("10.0.0.2")]).toEqual([true, false]);
  });
});

describe("what an event touches", () => {
  it("is one assignment when one endpoint changed, and nothing else is made anew", () => {
    const translator = translatorOf(web, {
      ...web,
      hostname: "pay.default.svc.cluster.local",
      addresses: ["10.9.0.2"],
    });
    const view = translator.view(sidecar);
    const before = new Map(Object.values(typeUrls).map((type) => [type, new Map(view.resources(type))]));
    const { views } = upsert(
      translator,
      entryOf({ ...web, instances: [{ address: "10.0.0.7:80" }, { address: "10.0.0.8:80" }] }),
    );
    const changed = "outbound|80||web.default.svc.cluster.local";
    expect(views.get(view)).toEqual(new Map([[typeUrls.endpoint, new Set([changed])]]));
    for (const [type, resources] of before) {
      for (const [name, resource] of resources) {
        if (name !== changed || type !== typeUrls.endpoint) expect(view.resources(type).get(name)).toBe(resource);
      }
    }
  });

  it("is the cluster when an endpoint of a DNS service changed", () => {
    const dns: ServiceSketch = {
      hostname: "x.io",
      resolution: "DNS",
      ports: [{ number: 443, protocol: "TLS" }],
      instances: [{ address: "x.io:443" }],
    };
    const translator = translatorOf(dns);
    const view = translator.view(sidecar);
    const { views } = upsert(translator, entryOf({ ...dns, instances: [{ address: "y.io:443" }] }));
    expect(views.get(view)).toEqual(new Map([[typeUrls.cluster, new Set(["outbound|443||x.io"])]]));
  });

  it("is the listeners of a headless service when its endpoints changed", () => {
    const headless: ServiceSketch = {
      hostname: "db.default.svc.cluster.local",
      resolution: "NONE",
      ports: [{ number: 5432, protocol: "TCP" }],
      instances: [{ address: "10.2.0.1:5432" }],
    };
    const translator = translatorOf(headless);
    const view = translator.view(sidecar);
    const { views } = upsert(translator, entryOf({ ...headless, instances: [{ address: "10.2.0.2:5432" }] }));
    expect(views.get(view)).toEqual(new Map([[typeUrls.listener, new Set(["10.2.0.1_5432", "10.2.0.2_5432"])]]));
  });

  it("is nothing when an equal entry comes again", () => {
    const translator = translatorOf(web);
    translator.view(sidecar);
    expect(upsert(translator, entryOf(web)).views.size).toBe(0);
  });

  it("keeps the last good form of a service that cannot be encoded, tells which, and takes in the others", () => {
    const translator = translatorOf(web);
    const view = translator.view(sidecar);
    const before = view.resources(typeUrls.endpoint).get("outbound|80||web.default.svc.cluster.local");
    const bad = entryOf({ ...web, instances: [{ address: "10.0.0.7:-1" }] });
    const { faults } = upsert(translator, bad, entryOf({ ...web, hostname: "new.io", addresses: [] }));
    expect(faults).toEqual([{ subject: "default/web.default.svc.cluster.local", cause: expect.any(Error) as Error }]);
    expect(view.resources(typeUrls.endpoint).get("outbound|80||web.default.svc.cluster.local")).toBe(before);
    expect(names(view, typeUrls.cluster)).toContain("outbound|80||new.io");
  });
});

describe("a snapshot", () => {
  it("is compared with what is known in steps", () => {
    const services = Array.from({ length: 500 }, (_, index) => ({ ...web, hostname: `s${index}.test`, addresses: [] }));
    const translator = translatorOf(...services);
    const again = { v: 1, type: "snapshot", catalog: catalogOf(services.map(entryOf)) } as const;
    // Nothing differs, so there is nothing else to be done.
    expect([...translator.preparing(again)].length).toBeGreaterThanOrEqual(6);
  });
});

describe("views", () => {
  it("are one object for replicas and share their resources with others", () => {
    const translator = translatorOf({
      ...web,
      instances: [{ address: "10.0.0.1:8080" }, { address: "10.0.0.2:8080" }],
    });
    const one = translator.view(sidecar);
    expect(translator.view(parseNode({ id: "sidecar~10.0.0.2~b.default~default.svc.cluster.local" }))).toBe(one);
    const other = translator.view(parseNode({ id: "sidecar~10.0.0.99~c.default~default.svc.cluster.local" }));
    expect(other).not.toBe(one);
    expect(other.resources(typeUrls.listener).get("0.0.0.0_80")).toBe(
      one.resources(typeUrls.listener).get("0.0.0.0_80"),
    );
    expect(names(one, typeUrls.cluster)).toContain("inbound|8080||");
    expect(names(other, typeUrls.cluster)).not.toContain("inbound|8080||");
    expect(one.version(typeUrls.cluster)).not.toBe(other.version(typeUrls.cluster));
    expect(one.resources(typeUrls.cluster).size).toBe([...one.resources(typeUrls.cluster)].length);
  });

  it("become others for a node whose own ports changed, and the event says for which addresses", () => {
    const translator = translatorOf(web);
    const before = translator.view(sidecar);
    const { addresses } = upsert(translator, entryOf({ ...web, instances: [{ address: "10.0.0.1:9000" }] }));
    const some = ["10.0.0.1", "10.0.0.7", "10.0.0.2"];
    expect(some.filter((address) => addresses.has(address))).toEqual(["10.0.0.1", "10.0.0.7"]);
    const after = translator.view(sidecar);
    expect(after).not.toBe(before);
    expect(names(after, typeUrls.cluster)).toContain("inbound|9000||");
  });

  it("are kept for a while after they were forgotten, then made anew", () => {
    const translator = translatorOf(web);
    const view = translator.view(sidecar);
    translator.forget(view);
    expect(translator.view(sidecar)).toBe(view);
    translator.forget(view);
    for (let n = 0; n < 64; n++)
      translator.forget(translator.view(parseNode({ id: "edge", metadata: { NAMESPACE: `n${String(n)}` } })));
    const listeners = translator.resources().get(typeUrls.listener);
    translator.forget(translator.view(parseNode({ id: "edge", metadata: { NAMESPACE: "last" } })));
    expect(translator.resources().get(typeUrls.listener)).toBe(listeners);
    const again = translator.view(sidecar);
    expect(again).not.toBe(view);
    expect(renderView(again)).toEqual(renderView(view));
  });

  it("that were prepared for clients who left do not pile up, and those in use stay", () => {
    const translator = translatorOf(web);
    const inDomain = (domain: string) => parseNode({ id: `sidecar~10.0.0.1~a.one~one.svc.${domain}.local` });
    const prepare = (domain: string) => {
      for (const _ of translator.preparingView(inDomain(domain))?.steps ?? []) continue;
    };
    const routes = () => translator.resources().get(typeUrls.route) ?? 0;
    prepare("stays");
    const stays = translator.view(inDomain("stays"));
    const each = routes();
    expect(each).toBeGreaterThan(0);
    for (let index = 0; index < 30; index++) prepare(`left-${String(index)}`);
    expect(routes()).toBe(9 * each);
    upsert(translator, entryOf({ ...web, hostname: "new.default.svc.cluster.local" }));
    expect(translator.view(inDomain("stays"))).toBe(stays);
    expect(names(stays, typeUrls.endpoint)).toContain("outbound|80||new.default.svc.cluster.local");
  });

  it("of two namespaces share everything but what each has of its own", () => {
    const mine = { ...web, hostname: "db.own.svc.cluster.local", namespace: "own", addresses: ["10.9.0.5"] };
    const translator = translatorOf(web, { ...mine, exportTo: ["."] });
    const [one, two, own] = ["one", "two", "own"].map((namespace) =>
      translator.view(parseNode({ id: `sidecar~10.5.0.1~a.${namespace}~${namespace}.svc.cluster.local` })),
    );
    const shared = "outbound|80||web.default.svc.cluster.local";
    expect(one?.resources(typeUrls.cluster).get(shared)).toBe(own?.resources(typeUrls.cluster).get(shared));
    expect(one?.resources(typeUrls.route).get("80")).toBe(two?.resources(typeUrls.route).get("80"));
    expect(JSON.stringify(own && renderView(own).routes)).toContain('"db"');
    expect(JSON.stringify(one && renderView(one).routes)).not.toContain("db.own");
    expect(translator.resources().get(typeUrls.cluster)).toBeLessThan(10);
  });
});

describe("one hostname in two namespaces", () => {
  const mine: ServiceSketch = {
    ...web,
    hostname: "web.io",
    namespace: "default",
    createdAt: 2,
    ports: [{ number: 80, protocol: "HTTP" }],
  };
  const theirs: ServiceSketch = {
    ...mine,
    namespace: "other",
    createdAt: 1,
    ports: [{ number: 81, protocol: "HTTP" }],
  };

  it.each([
    ["default", "outbound|80||web.io"],
    ["other", "outbound|81||web.io"],
    ["third", "outbound|81||web.io"],
  ])("seen from %s is %s: its own, else the oldest", (namespace, cluster) => {
    const view = translatorOf(mine, theirs).view(
      parseNode({ id: `sidecar~10.3.0.1~a.${namespace}~${namespace}.svc.cluster.local` }),
    );
    expect(names(view, typeUrls.cluster).filter((name) => name.endsWith("web.io"))).toEqual([cluster]);
  });
});

describe("an alias", () => {
  const alias: ServiceSketch = {
    hostname: "alias.default.svc.cluster.local",
    resolution: "ALIAS",
    ports: [{ number: 80, protocol: "HTTP" }],
    instances: [{ address: "web.default.svc.cluster.local:80" }],
  };

  it("is looked up by DNS until its target is there, then is another name of the target", () => {
    const translator = translatorOf(alias);
    const view = translator.view(sidecar);
    expect(names(view, typeUrls.cluster)).toContain("outbound|80||alias.default.svc.cluster.local");
    upsert(translator, entryOf(web));
    expect(names(view, typeUrls.cluster)).not.toContain("outbound|80||alias.default.svc.cluster.local");
    const [table] = renderView(view).routes as readonly [{ virtualHosts: { name: string; domains: string[] }[] }];
    expect(table.virtualHosts.find(({ name }) => name.startsWith("web."))?.domains).toContain("alias");
  });

  it("of itself, or in a circle, is nobody's", () => {
    const other: ServiceSketch = {
      ...alias,
      hostname: "web.default.svc.cluster.local",
      instances: [{ address: "alias.default.svc.cluster.local:80" }],
    };
    const view = translatorOf(alias, other).view(sidecar);
    expect(names(view, typeUrls.cluster)).toContain("outbound|80||alias.default.svc.cluster.local");
  });
});

describe("a proxyless gRPC client", () => {
  const client = parseNode({ id: "c", metadata: { GENERATOR: "grpc", NAMESPACE: "default" } });

  it("has a listener for each name that it may dial, all of one route table", () => {
    const view = translatorOf(web).view(client);
    expect(names(view, typeUrls.listener).filter((name) => name.endsWith(":80"))).toEqual([
      "web.default.svc.cluster.local:80",
      "web.default.svc:80",
      "web.default:80",
      "web:80",
    ]);
    expect(names(view, typeUrls.route)).toEqual([
      "outbound|3306||web.default.svc.cluster.local",
      "outbound|80||web.default.svc.cluster.local",
    ]);
  });

  it("gives a name to the service whose full name it is", () => {
    const translator = translatorOf(web, {
      hostname: "web",
      namespace: "other",
      ports: [{ number: 80, protocol: "HTTP" }],
    });
    const listener = renderView(translator.view(client)).listeners.find(
      (one) => (one as { name: string }).name === "web:80",
    );
    expect(JSON.stringify(listener)).toContain('outbound|80||web"');
  });
});

describe("a service whose rules lead to another one", () => {
  it("is for each namespace what the other one is there, also after it was the same for all", () => {
    const port = (number: number, protocol: "HTTP" | "TCP") => ({
      ports: [{ number, protocol }],
      addresses: [],
      instances: [],
    });
    const target = {
      ...web,
      ...port(80, "HTTP"),
      hostname: "to.io",
      namespace: "two",
      resolution: "DYNAMIC_DNS" as const,
    };
    const sender = entryOf({ ...web, ...port(8080, "HTTP"), hostname: "from.io", namespace: "one" });
    const rule: ConfigObject = {
      kind: "VirtualService",
      namespace: "one",
      name: "from",
      labels: {},
      annotations: {},
      spec: { hosts: ["from.io"], tcp: [{ route: [{ destination: { host: "to.io" } }] }] },
      provenance: { registry: registryId("test", "one"), object: "from" },
    };
    const objects = new Map([[objectKey(rule), rule]]);
    const of = (...entries: readonly CatalogEntry[]) => {
      const translator = createTranslator();
      translator.apply({ v: 1, type: "snapshot", catalog: { ...catalogOf(entries), objects } });
      return translator;
    };
    const node = parseNode({ id: "sidecar~10.0.0.1~a.two~two.svc.cluster.local" });
    // Older, so everybody but namespace two sees this one now.
    const older = entryOf({ ...target, namespace: "one", resolution: "STATIC", createdAt: 1 });
    const told = of(sender, entryOf(target));
    told.view(node);
    upsert(told, older);
    const fresh = of(sender, entryOf(target), older);
    expect(renderView(told.view(node)).listeners).toEqual(renderView(fresh.view(node)).listeners);
    expect(JSON.stringify(renderView(fresh.view(node)).listeners)).toContain("dynamic_forward_proxy");
  });
});
