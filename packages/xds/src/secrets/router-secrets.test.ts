import { fromBinary } from "@bufbuild/protobuf";
import { typeUrls } from "@signalbox/envoy-api";
import { SecretSchema } from "@signalbox/envoy-api/envoy/extensions/transport_sockets/tls/v3/secret";
import { objectKey, type ConfigObject } from "@signalbox/model";
import type { ResourceView } from "@signalbox/xds-server";
import { describe, expect, it } from "vitest";
import type { Credential } from "../gateway/secrets.ts";
import { gateway, object, server } from "../gateway/testing/router.ts";
import { parseNode } from "../node.ts";
import { configDump, renderView } from "../render.ts";
import { catalogOf } from "../testing/catalog.ts";
import { createTranslator, type Translator } from "../translator.ts";

const router = (namespace: string, labels = { app: "edge" }) =>
  parseNode({ id: `router~10.0.0.1~r.${namespace}~${namespace}.svc.cluster.local`, metadata: { LABELS: labels } });
const pair = (text: string) => ({ certificate: `crt ${text}`, privateKey: `key ${text}` });
const simple = (credentialName: string) => ({ tls: { mode: "SIMPLE", credentialName } });
const mutual = (credentialName: string, more: object = {}) => ({ tls: { mode: "MUTUAL", credentialName, ...more } });
const tlsTo = (tls: object, more: object = {}) => ({ host: "x.io", trafficPolicy: { tls }, ...more });

function world(...objects: readonly ConfigObject[]): Translator {
  const translator = createTranslator();
  const catalog = { ...catalogOf([]), objects: new Map(objects.map((one) => [objectKey(one), one])) };
  translator.apply({ v: 1, type: "snapshot", catalog });
  return translator;
}

let sequence = 1;
function change(translator: Translator, upserted: readonly ConfigObject[], removed: readonly ConfigObject[] = []) {
  const none = { upserted: [], removed: [] };
  const revision = { epoch: "1", sequence: ++sequence };
  const objects = { upserted: [...upserted], removed: removed.map(objectKey) };
  const delta = { entries: none, workloads: none, objects };
  return translator.apply({ v: 1, type: "delta", previous: revision, revision, delta });
}

/** What a view has, as `name: text` of certificates or of the certificates of callers. Sorted. */
function secretsIn(view: ResourceView): readonly string[] {
  return [...view.resources(typeUrls.secret).values()]
    .map(({ bytes, name }) => {
      const { type } = fromBinary(SecretSchema, bytes);
      const source =
        type.case === "tlsCertificate"
          ? type.value.certificateChain
          : type.case === "validationContext"
            ? type.value.trustedCa
            : undefined;
      return `${name}: ${String(source?.specifier.value)}`;
    })
    .sort();
}

describe("the secrets of a router", () => {
  it("are those that its Gateways name, of its own namespace", () => {
    const translator = world(
      gateway(
        "edge/gw",
        server("HTTPS 443", ["a.test"], simple("shop")),
        server("HTTPS 444", ["b.test"], mutual("both")),
        server("HTTPS 445", ["c.test"], mutual("apart")),
        server("HTTPS 446", ["d.test"], mutual("named", { caCertCredentialName: "authority" })),
        server("HTTPS 447", ["e.test"], { tls: { mode: "SIMPLE", credentialNames: ["one", "edge/two"] } }),
      ),
    );
    const view = translator.view(router("edge"), true);
    translator.setSecrets(
      new Map<string, Credential>([
        ["edge/shop", pair("shop")],
        ["edge/both", { ...pair("both"), ca: "ca both" }],
        ["edge/apart", { ...pair("apart"), ca: "unused" }],
        ["edge/apart-cacert", { ca: "ca apart" }],
        ["edge/named", pair("named")],
        ["edge/authority", { ca: "ca authority" }],
        ["edge/one", pair("one")],
        ["edge/two", pair("two")],
        ["edge/unnamed", pair("unnamed")],
        ["shop/shop", pair("of another namespace")],
      ]),
    );
    expect(secretsIn(view)).toEqual([
      "kubernetes://apart-cacert: ca apart",
      "kubernetes://apart: crt apart",
      "kubernetes://authority: ca authority",
      "kubernetes://both-cacert: ca both",
      "kubernetes://both: crt both",
      "kubernetes://edge/two: crt two",
      "kubernetes://named: crt named",
      "kubernetes://one: crt one",
      "kubernetes://shop: crt shop",
    ]);
  });

  it.each([
    ["its own, by namespace", "edge/gw", "kubernetes://edge/shop", true],
    ["that of another namespace", "edge/gw", "kubernetes://shop/shop", false],
    ["its own, for a Gateway of another namespace", "shop/gw", "shop", true],
    ["a Gateway API's, for a Gateway of its own namespace", "edge/gw", "kubernetes-gateway://edge/shop", true],
    ["a Gateway API's, for a Gateway of another namespace", "shop/gw", "kubernetes-gateway://edge/shop", false],
    ["a Gateway API's of another namespace", "edge/gw", "kubernetes-gateway://shop/shop", false],
    ["a ConfigMap", "edge/gw", "configmap://edge/shop", false],
    ["one without a name", "edge/gw", "kubernetes://edge/", false],
  ])("by name: %s", (_, name, credential, has) => {
    const translator = world(gateway(name, server("HTTPS 443", ["a.test"], simple(credential))));
    const view = translator.view(router("edge"), true);
    const { faults } = translator.setSecrets(
      new Map([
        ["edge/shop", pair("edge")],
        ["edge/", pair("nobody")],
        ["shop/shop", pair("shop")],
      ]),
    );
    expect(secretsIn(view)).toHaveLength(has ? 1 : 0);
    expect(faults.map(({ subject }) => subject.startsWith("secret "))).toEqual(has ? [] : [true]);
  });

  it.each([
    ["SIMPLE has certificates to compare with", tlsTo({ mode: "SIMPLE", credentialName: "x" }), ["x-cacert: ca"]],
    ["MUTUAL has a pair, too", tlsTo({ mode: "MUTUAL", credentialName: "x" }), ["x-cacert: ca", "x: crt x"]],
    [
      "MUTUAL that compares nothing has the pair",
      tlsTo({ mode: "MUTUAL", credentialName: "x", insecureSkipVerify: true }),
      ["x: crt x"],
    ],
    ["ISTIO_MUTUAL has none", tlsTo({ mode: "ISTIO_MUTUAL" }), []],
    ["not exported has none", tlsTo({ mode: "SIMPLE", credentialName: "x" }, { exportTo: ["."] }), []],
    [
      "exported to it has them",
      tlsTo({ mode: "SIMPLE", credentialName: "x" }, { exportTo: ["edge"] }),
      ["x-cacert: ca"],
    ],
    [
      "a subset's port has them",
      {
        host: "x.io",
        subsets: [
          {
            name: "v1",
            trafficPolicy: {
              portLevelSettings: [{ port: { number: 1 }, tls: { mode: "SIMPLE", credentialName: "x" } }],
            },
          },
        ],
      },
      ["x-cacert: ca"],
    ],
  ])("by a DestinationRule of another namespace: %s", (_, spec, expected) => {
    const rule = object("DestinationRule", "shop/x", spec);
    const translator = world(rule);
    translator.setSecrets(new Map([["edge/x", { ...pair("x"), ca: "ca" }]]));
    const view = translator.view(router("edge"), true);
    expect(secretsIn(view)).toEqual(expected.map((text) => `kubernetes://${text}`));
    const { views } = change(translator, [], [rule]);
    expect(secretsIn(view)).toEqual([]);
    expect(views.get(view)?.get(typeUrls.secret)?.size ?? 0).toBe(expected.length);
  });

  it.each([
    ["a router that was not found to be what it says", router("edge"), false],
    ["a router without a namespace", parseNode({ id: "router~10.0.0.1~r~x", metadata: {} }), true],
    ["a router that no Gateway selects", router("edge", { app: "other" }), true],
    ["a sidecar", parseNode({ id: "sidecar~10.0.0.1~r.edge~edge.svc.cluster.local" }), true],
    ["a plain Envoy", parseNode({ id: "e", metadata: { NAMESPACE: "edge", LABELS: { app: "edge" } } }), true],
  ])("are not those of %s", (_, node, trusted) => {
    const translator = world(gateway("edge/gw", server("HTTPS 443", ["a.test"], simple("shop"))));
    translator.setSecrets(new Map([["edge/shop", pair("shop")]]));
    expect(secretsIn(translator.view(router("edge"), true))).toHaveLength(1);
    const view = translator.view(node, trusted);
    expect(secretsIn(view)).toEqual([]);
    translator.setSecrets(new Map([["edge/shop", pair("other")]]));
    expect(secretsIn(view)).toEqual([]);
  });

  it("are told as they change, and to nobody else", () => {
    const translator = world(
      gateway("edge/gw", server("HTTPS 443", ["a.test"], simple("a")), server("HTTPS 444", ["b.test"], simple("b"))),
    );
    const view = translator.view(router("edge"), true);
    const other = translator.view(router("shop"), true);
    const tell = (changes: Parameters<Translator["setSecrets"]>[0]) => {
      const { views } = translator.setSecrets(changes);
      expect(views.has(other)).toBe(false);
      return [...(views.get(view)?.get(typeUrls.secret) ?? [])];
    };
    const version = () => view.version(typeUrls.secret);
    const empty = version();
    expect(tell(new Map([["edge/a", pair("1")]]))).toEqual(["kubernetes://a"]);
    const first = version();
    expect(tell(new Map([["edge/a", pair("1")]]))).toEqual([]);
    expect(version()).toBe(first);
    expect(tell(new Map([["edge/a", pair("2")]]))).toEqual(["kubernetes://a"]);
    expect(tell(new Map([["edge/a", undefined]]))).toEqual(["kubernetes://a"]);
    expect(version()).toBe(empty);
    expect(translator.resources().get(typeUrls.secret)).toBe(0);
  });

  it("are faults where nobody has them, once anybody has told what there is", () => {
    const one = gateway("edge/gw", server("HTTPS 443", ["a.test"], simple("a")));
    const translator = world(one);
    translator.view(router("edge"), true);
    expect(change(translator, [one]).faults).toEqual([]);
    const [fault] = translator.setSecrets(new Map()).faults;
    expect(fault?.subject).toBe("secret kubernetes://a for routers of edge");
    expect((fault?.cause as Error).message).toBe("kubernetes://a: no source has it");
    expect(translator.setSecrets(new Map([["edge/a", pair("a")]])).faults).toEqual([]);
  });

  it("stay as they were while a part of them is missing", () => {
    const translator = world(gateway("edge/gw", server("HTTPS 443", ["a.test"], mutual("a"))));
    const view = translator.view(router("edge"), true);
    translator.setSecrets(new Map([["edge/a", { ...pair("a"), ca: "ca" }]]));
    const { faults } = translator.setSecrets(new Map([["edge/a", pair("b")]]));
    expect(faults.map(({ subject }) => subject)).toEqual(["secret kubernetes://a-cacert for routers of edge"]);
    expect(secretsIn(view)).toEqual(["kubernetes://a-cacert: ca", "kubernetes://a: crt b"]);
  });

  it("are in no dump", () => {
    const translator = world(gateway("edge/gw", server("HTTPS 443", ["a.test"], simple("shop"))));
    translator.setSecrets(new Map([["edge/shop", pair("SECRET")]]));
    const view = translator.view(router("edge"), true);
    expect(secretsIn(view)).toHaveLength(1);
    const shown = JSON.stringify([configDump(view), renderView(view)]);
    expect(shown).toContain("kubernetes://shop");
    expect(shown).not.toContain("SECRET");
  });
});
