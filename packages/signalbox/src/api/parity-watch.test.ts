import { registryId, serviceKey } from "@signalbox/model";
import { serviceRecord } from "@signalbox/registry/conformance";
import { describe, expect, it } from "vitest";
import { ParityWatch } from "./parity-watch.ts";

const key = (name: string) => serviceKey({ namespace: "shop", hostname: name });
const question = (name = "orders", parity = 0.5) => ({ service: key(name), from: "old/*", to: "new/main", parity });
const places = (from: readonly string[], to: readonly string[]) => [
  ...from.map((address) => ({ registry: registryId("old", "a"), address })),
  ...to.map((address) => ({ registry: registryId("new", "main"), address })),
];

function records(from: readonly string[], to: readonly string[]) {
  return (["old/a", "new/main"] as const).map((id, side) => {
    const [provider, name] = id.split("/") as [string, string];
    const registry = registryId(provider, name);
    const { instances, service } = serviceRecord({ registry, instances: [from, to][side] ?? [] });
    return {
      registry,
      service,
      candidates: instances.map((instance) => ({ instance, registry, findings: [], priority: 0 })),
    };
  });
}

describe("a watch of parity", () => {
  it.each<[string, readonly string[], readonly string[], number | undefined]>([
    ["both sides that are the same", ["a", "b"], ["b", "a"], 7],
    ["parity that is just enough", ["a", "b"], ["a"], 7],
    ["too little", ["a", "b", "c"], ["a"], undefined],
    ["nothing at all", [], [], undefined],
    ["one side alone", ["a"], [], undefined],
  ])("is right about %s", (_name, from, to, since) => {
    expect(new ParityWatch().since(question(), places(from, to), 7)).toBe(since);
  });

  it("keeps the time over changes that leave parity, and begins anew after one that does not", () => {
    const watch = new ParityWatch();
    watch.since(question(), places(["192.0.2.1:8080"], ["192.0.2.1:8080"]), 1);
    watch.see(key("orders"), records(["192.0.2.1", "192.0.2.2"], ["192.0.2.1"]), 2);
    expect(watch.since(question(), places(["a"], ["a"]), 3)).toBe(1);
    watch.see(key("orders"), records(["192.0.2.1"], ["192.0.2.9"]), 4);
    watch.see(key("orders"), records(["192.0.2.1"], ["192.0.2.1"]), 5);
    expect(watch.since(question(), places(["a"], ["a"]), 6)).toBe(5);
  });

  it("keeps apart what is asked of other parities", () => {
    const watch = new ParityWatch();
    watch.since(question(), places(["a"], ["a"]), 1);
    expect(watch.since(question("orders", 0.9), places(["a"], ["a"]), 2)).toBe(2);
  });

  it("forgets the oldest of very many questions", () => {
    const watch = new ParityWatch();
    for (let at = 0; at <= 1000; at++) watch.since(question(`s${at}`), places(["a"], ["a"]), at);
    expect(watch.since(question("s1000"), places(["a"], ["a"]), 2000)).toBe(1000);
    expect(watch.since(question("s1"), places(["a"], ["a"]), 2000)).toBe(1);
    expect(watch.since(question("s0"), places(["a"], ["a"]), 2000)).toBe(2000);
  });
});
