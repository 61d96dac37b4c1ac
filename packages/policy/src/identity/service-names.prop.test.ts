import { registryId, serviceKey } from "@signalbox/model";
import fc from "fast-check";
import { expect, it } from "vitest";
import type { IdentityRule } from "./identity.ts";
import { ServiceNames } from "./service-names.ts";

const rules: readonly IdentityRule[] = [
  { registries: ["a/*"], hostnames: ["g*"], hostname: "g.x", namespace: "n", aliases: ["{{hostname}}"], gather: true },
  { registries: ["*"], hostnames: ["*"], hostname: "{{name}}.x", namespace: "n", aliases: [], gather: false },
];
const strict: readonly IdentityRule[] = rules.map((rule) => ({ ...rule, strict: true }));
const registries = [registryId("a", "1"), registryId("b", "1")];
const hostnames = ["g1.a", "g_1.a", "g-1.b", "w.a", "W.b", "w_.a", "w:.c"];
const step = fc.record({
  registry: fc.constantFrom(...registries),
  hostname: fc.constantFrom(...hostnames),
  there: fc.boolean(),
});

function stateOf(names: ServiceNames) {
  return registries.map((registry) =>
    hostnames.map((hostname) => names.nameOf(registry, serviceKey({ namespace: "d", hostname }))?.key),
  );
}

it("the names do not depend on the order in which services came and went, and each change is told", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const names = new ServiceNames(rules);
      const there = new Map<string, (typeof steps)[number]>();
      for (const one of steps) {
        const service = { namespace: "d", hostname: one.hostname };
        const before = stateOf(names);
        const collisions = names.collisions();
        const changes = names.collisionChanges;
        const touched = names.update(one.registry, serviceKey(service), one.there ? service : undefined);
        const after = stateOf(names);
        if (names.collisionChanges === changes) expect(names.collisions()).toEqual(collisions);
        after.forEach((keys, at) => {
          keys.forEach((key, index) => {
            const old = before[at]?.[index];
            if (key === old) return;
            for (const changed of [key, old]) if (changed !== undefined) expect(touched).toContain(changed);
          });
        });
        if (one.there) there.set(`${one.registry} ${serviceKey(service)}`, one);
        else there.delete(`${one.registry} ${serviceKey(service)}`);
      }
      const anew = new ServiceNames(rules);
      for (const { registry, hostname } of [...there.values()].reverse())
        anew.update(registry, serviceKey({ namespace: "d", hostname }), { namespace: "d", hostname });
      expect(stateOf(anew)).toEqual(stateOf(names));
      expect(anew.collisions()).toEqual(names.collisions());
      // No two services of one registry share a name but those that a rule gathers.
      for (const registry of registries) {
        const keys = [...there.values()].flatMap(({ registry: of, hostname }) => {
          const name = of === registry ? names.nameOf(registry, serviceKey({ namespace: "d", hostname })) : undefined;
          return name && !name.identity.gather ? [name.key] : [];
        });
        // `W.b` and `w.b` are one key of the registry itself.
        expect(new Set(keys).size).toBe(keys.length);
      }
    }),
  );
});

it("strict names leave out who would be renamed, whatever the order, and nobody else", () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const [renaming, leaving] = [new ServiceNames(rules), new ServiceNames(strict)];
      for (const { hostname, registry, there } of steps) {
        const service = { namespace: "d", hostname };
        for (const names of [renaming, leaving])
          names.update(registry, serviceKey(service), there ? service : undefined);
      }
      const lost = renaming.collisions();
      expect(leaving.collisions()).toEqual(lost.map(({ renamed: _, ...collision }) => collision));
      for (const registry of registries) {
        for (const hostname of hostnames) {
          const own = serviceKey({ namespace: "d", hostname });
          const key = renaming.nameOf(registry, own)?.key;
          if (key === undefined) continue;
          const isLost = lost.some((one) => one.registry === registry && one.loser === own);
          expect(renaming.ownKeys(registry, key)).toContain(own);
          expect(leaving.ownKeys(registry, key).includes(own)).toBe(!isLost);
        }
      }
    }),
  );
});
