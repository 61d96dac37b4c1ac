import { typeUrls } from "@signalbox/envoy-api";
import { objectKey, type ConfigObject, type ObjectKey } from "@signalbox/model";
import type { ResourceView } from "@signalbox/xds-server";
import fc from "fast-check";
import { expect, it } from "vitest";
import type { Credential } from "../gateway/secrets.ts";
import { gateway, object, server } from "../gateway/testing/router.ts";
import { parseNode } from "../node.ts";
import { catalogOf } from "../testing/catalog.ts";
import { createTranslator } from "../translator.ts";

const namespace = fc.constantFrom("one", "two");
const credentialName = fc.constantFrom("a", "b", "one/a", "kubernetes-gateway://one/b", "configmap://one/a");
const mode = fc.constantFrom("SIMPLE", "MUTUAL");

const rule: fc.Arbitrary<ConfigObject> = fc.oneof(
  fc
    .record({ namespace, mode, credentialName })
    .map(({ namespace: of, ...tls }) => gateway(`${of}/x`, server("HTTPS 443", ["a.test"], { tls }))),
  fc
    .record({ namespace, mode, credentialName, exportTo: fc.constantFrom([], ["."], ["two"]) })
    .map(({ exportTo, namespace: of, ...tls }) =>
      object("DestinationRule", `${of}/x`, { host: "x.io", trafficPolicy: { tls }, exportTo }),
    ),
);

/** Whole ones, so that there is no last good form of anything. */
const credential: fc.Arbitrary<Credential> = fc
  .constantFrom("1", "2")
  .map((text) => ({ certificate: text, privateKey: text, ca: text }));

type Step =
  | { readonly type: "put"; readonly object: ConfigObject }
  | { readonly type: "remove"; readonly object: ConfigObject }
  | { readonly type: "secret"; readonly key: string; readonly value: Credential | undefined };

const step: fc.Arbitrary<Step> = fc.oneof(
  rule.map((one): Step => ({ type: "put", object: one })),
  rule.map((one): Step => ({ type: "remove", object: one })),
  fc
    .record({
      key: fc.constantFrom("one/a", "one/a-cacert", "one/b", "two/a", "two/b"),
      value: fc.option(credential, { nil: undefined }),
    })
    .map((one): Step => ({ type: "secret", ...one })),
);

const nodes = ["one", "two"].map((of) =>
  parseNode({ id: `router~10.0.0.1~r.${of}~${of}.svc.cluster.local`, metadata: { LABELS: { app: "edge" } } }),
);
const shown = (view: ResourceView) =>
  [...view.resources(typeUrls.secret)].map(([name, { version }]) => `${name} ${version}`).sort();

it("routers have the same secrets whatever came before, and hear of every change", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 15 }), (steps) => {
      const translator = createTranslator();
      translator.apply({ v: 1, type: "snapshot", catalog: catalogOf([]) });
      const views = nodes.map((node) => translator.view(node, true));
      const objects = new Map<ObjectKey, ConfigObject>();
      const secrets = new Map<string, Credential | undefined>();
      const none = { upserted: [], removed: [] };
      let sequence = 1;
      for (const one of steps) {
        const before = views.map(shown);
        let changed;
        if (one.type === "secret") {
          secrets.set(one.key, one.value);
          changed = translator.setSecrets(new Map([[one.key, one.value]])).views;
        } else {
          const key = objectKey(one.object);
          if (one.type === "put") objects.set(key, one.object);
          else objects.delete(key);
          const delta = {
            entries: none,
            workloads: none,
            objects: one.type === "put" ? { upserted: [one.object], removed: [] } : { upserted: [], removed: [key] },
          };
          const previous = { epoch: "1", sequence };
          changed = translator.apply({
            v: 1,
            type: "delta",
            previous,
            revision: { epoch: "1", sequence: ++sequence },
            delta,
          }).views;
        }
        for (const [index, view] of views.entries())
          expect(changed.get(view)?.has(typeUrls.secret) === true).toBe(
            shown(view).join() !== (before[index] ?? []).join(),
          );
      }
      const fresh = createTranslator();
      fresh.setSecrets(secrets);
      fresh.apply({ v: 1, type: "snapshot", catalog: { ...catalogOf([]), objects } });
      expect(views.map(shown)).toEqual(
        secrets.size === 0 ? [[], []] : nodes.map((node) => shown(fresh.view(node, true))),
      );
    }),
  );
});
