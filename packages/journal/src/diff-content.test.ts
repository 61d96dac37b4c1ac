import { entryVersions, registryId, serviceKey } from "@signalbox/model";
import type { CatalogEntry, CatalogInstance, Service, ServiceKey } from "@signalbox/model";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { diffContent } from "./diff-content.ts";
import { formatDiff } from "./format-diff.ts";
import { recordOf } from "./testing/entries.ts";

const registry = registryId("memory", "one");

function endpoint(ip: string, fields: Partial<CatalogInstance> = {}): CatalogInstance {
  const [instance] = recordOf("a").instances;
  if (!instance) throw new Error("there is no instance");
  return {
    ...instance,
    id: ip,
    addresses: [{ type: "ip", ip, port: 80 }],
    priority: 0,
    findings: [],
    provenance: [instance.provenance],
    ...fields,
  };
}

function entry(name: string, instances: readonly CatalogInstance[], fields: Partial<Service> = {}): CatalogEntry {
  const service = { ...recordOf(name).service, ...fields };
  return {
    key: serviceKey(service),
    service,
    instances,
    registries: [registry],
    versions: entryVersions(service, instances),
  };
}

function content(...entries: CatalogEntry[]): Map<ServiceKey, CatalogEntry> {
  return new Map(entries.map((one) => [one.key, one]));
}

describe("the difference between two contents", () => {
  it("names the part of the traffic that is to fail", () => {
    const web = entry("web", [endpoint("10.0.0.1")]);
    expect(diffContent(content(web), content({ ...web, unserved: { http: 100_000 } })).services).toEqual([
      {
        change: "changed",
        service: web.key,
        fields: [{ field: "unserved", after: { http: 100_000 } }],
        endpoints: [],
      },
    ]);
  });

  it("names added, removed and changed services and endpoints, sorted", () => {
    const a = content(
      entry("web", [endpoint("10.0.0.2"), endpoint("10.0.0.1"), endpoint("10.0.0.9")]),
      entry("old", [endpoint("10.0.0.3")]),
      entry("same", [endpoint("10.0.0.4")]),
    );
    const b = content(
      entry("same", [endpoint("10.0.0.4")]),
      entry("web", [
        endpoint("10.0.0.9"),
        endpoint("10.0.0.5"),
        endpoint("10.0.0.1", { healthStatus: "UNHEALTHY", weight: 5, priority: 1 }),
      ]),
      entry("new", []),
    );
    const diff = diffContent(a, b);
    expect(diff).toMatchObject({
      services: [
        { change: "added", service: "shop/new", fields: [], endpoints: [] },
        { change: "removed", service: "shop/old", endpoints: [{ change: "removed", address: "10.0.0.3:80" }] },
        {
          change: "changed",
          service: "shop/web",
          fields: [],
          endpoints: [
            {
              change: "changed",
              servicePort: "http",
              address: "10.0.0.1:80",
              fields: [
                { field: "health", before: "HEALTHY", after: "UNHEALTHY" },
                { field: "priority", before: 0, after: 1 },
                { field: "weight", before: 1, after: 5 },
              ],
            },
            { change: "removed", address: "10.0.0.2:80" },
            { change: "added", address: "10.0.0.5:80" },
          ],
        },
      ],
    });
    expect(formatDiff(diff)).toBe(
      [
        "+ shop/new",
        "- shop/old",
        "  - http 10.0.0.3:80 HEALTHY weight 1 priority 0",
        "~ shop/web",
        "  ~ http 10.0.0.1:80 health HEALTHY -> UNHEALTHY, priority 0 -> 1, weight 1 -> 5",
        "  - http 10.0.0.2:80 HEALTHY weight 1 priority 0",
        "  + http 10.0.0.5:80 HEALTHY weight 1 priority 0",
        "1 service added, 1 removed, 1 changed; 1 endpoint added, 2 removed, 1 changed",
        "",
      ].join("\n"),
    );
  });

  it("names fields of the service, also those that only one side has", () => {
    const diff = diffContent(
      content(entry("web", [], { resolution: "STATIC" })),
      content(entry("web", [], { resolution: "DNS", createdAt: 7, labels: { note: "a b" } })),
    );
    expect(diff.services[0]?.fields).toEqual([
      { field: "createdAt", after: 7 },
      { field: "labels", before: {}, after: { note: "a b" } },
      { field: "resolution", before: "STATIC", after: "DNS" },
    ]);
    expect(formatDiff(diff)).toContain('    createdAt: (none) -> 7\n    labels: {} -> {"note":"a b"}\n');
  });

  it("is none where only ids, findings and provenance differ", () => {
    const other = endpoint("10.0.0.1", { id: "x", findings: [{ stage: "drift", code: "GHOST", since: 1 }] });
    const diff = diffContent(content(entry("web", [endpoint("10.0.0.1")])), content(entry("web", [other])));
    expect(diff).toEqual({ services: [] });
    expect(formatDiff(diff)).toBe("no difference\n");
  });

  it("keeps endpoints apart that share an address", () => {
    const a = content(entry("web", [endpoint("10.0.0.1", { id: "1" })]));
    const b = content(entry("web", [endpoint("10.0.0.1", { id: "2" }), endpoint("10.0.0.1", { id: "1" })]));
    expect(diffContent(a, b).services[0]?.endpoints).toMatchObject([{ change: "added", address: "10.0.0.1:80" }]);
  });

  it("writes nothing that moves a cursor", () => {
    const text = formatDiff(
      diffContent(content(), content(entry("a\u001b[2J", [], {}), entry("b\u202e\u{e0001}", []))),
    );
    expect(text).toContain(String.raw`+ "shop/a\u001b[2j"`);
    expect(text).toContain(String.raw`+ "shop/b\u202e\udb40\udc01"`);
  });

  const instances = fc.uniqueArray(
    fc.record({
      ip: fc.constantFrom("10.0.0.1", "10.0.0.2", "2001:db8::1"),
      weight: fc.nat(2),
      healthStatus: fc.constantFrom("HEALTHY", "UNHEALTHY"),
    }),
    { selector: ({ ip }) => ip },
  );
  const contents = fc.dictionary(fc.constantFrom("a", "b", "c"), instances).map((services) =>
    content(
      ...Object.entries(services).map(([name, list]) =>
        entry(
          name,
          list.map(({ ip, ...fields }) => endpoint(ip, fields)),
        ),
      ),
    ),
  );

  it("turned round is the difference the other way, and none of a content from itself", () => {
    const turned = { added: "removed", removed: "added", changed: "changed" } as const;
    const shape = (diff: ReturnType<typeof diffContent>, turn: boolean) =>
      diff.services.map(({ change, service, endpoints }) => [
        turn ? turned[change] : change,
        service,
        endpoints.map((one) => [turn ? turned[one.change] : one.change, one.servicePort, one.address]),
      ]);
    fc.assert(
      fc.property(contents, contents, (a, b) => {
        expect(shape(diffContent(a, b), true)).toEqual(shape(diffContent(b, a), false));
        expect(diffContent(a, new Map([...a].reverse()))).toEqual({ services: [] });
      }),
    );
  });

  it("makes the one content out of the other", () => {
    fc.assert(
      fc.property(contents, contents, (a, b) => {
        const state = (from: ReadonlyMap<ServiceKey, CatalogEntry>) =>
          new Map([...from].map(([key, one]) => [key, new Map(one.instances.map((each) => [each.id, each]))]));
        const result = state(a);
        for (const { change, service, endpoints } of diffContent(a, b).services) {
          if (change === "added") result.set(service, new Map());
          for (const one of endpoints) {
            if (one.change === "removed") result.get(service)?.delete(one.endpoint.id);
            else result.get(service)?.set(one.endpoint.id, one.endpoint);
          }
          if (change === "removed") result.delete(service);
        }
        expect(result).toEqual(state(b));
      }),
    );
  });
});
