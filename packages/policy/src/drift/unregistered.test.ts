import { describe, expect, it } from "vitest";
import { at, believed, billing, east, instance, membersOf, orders, ordersKey, workload } from "./testing/world.ts";
import { unregistered } from "./unregistered.ts";

const [one, two, three] = ["10.0.0.1", "10.0.0.2", "2001:db8::3"] as const;

function world() {
  const truth = believed();
  truth.update(east, undefined, workload("b", one), 0);
  truth.update(east, undefined, workload("a", two, { addresses: [two, three] }), 0);
  truth.update(east, undefined, workload("late", "10.0.0.4", { phase: "NOT_READY" }), 0);
  truth.update(east, undefined, workload("other", "10.0.0.5"), 0);
  const members = membersOf([
    [orders, [at(three), at(two), at(one, 9090), at(one), at("10.0.0.4"), at("10.0.0.6")]],
    [billing, [at("10.0.0.5")]],
  ]);
  return { truth, members };
}

describe("what a registry does not list", () => {
  it("are the ready workloads of the service, once each, sorted", () => {
    expect(unregistered(ordersKey, [], world())).toEqual([
      { cluster: east, workload: "east/prod/a", address: "10.0.0.2:8080" },
      { cluster: east, workload: "east/prod/b", address: "10.0.0.1:8080" },
    ]);
  });

  it.each([
    { name: "at another port", address: at(one, 1), left: ["east/prod/a"] },
    { name: "at the second address, spelled otherwise", address: at("2001:db8:0::3"), left: ["east/prod/b"] },
    { name: "somewhere else", address: at("10.0.0.9"), left: ["east/prod/a", "east/prod/b"] },
    {
      name: "by name",
      address: { type: "hostname", hostname: one, port: 8080 } as const,
      left: ["east/prod/a", "east/prod/b"],
    },
  ])("are not those that it lists $name", ({ address, left }) => {
    const listed = [instance("", { addresses: [address] })];
    expect(unregistered(ordersKey, listed, world()).map(({ workload }) => workload)).toEqual(left);
  });

  it("are of the host network those whose port it does not list", () => {
    const truth = believed();
    truth.update(east, undefined, workload("a", one, { hostNetwork: true, ports: [8080] }), 0);
    truth.update(east, undefined, workload("b", one, { hostNetwork: true, ports: [9090] }), 0);
    const members = membersOf([[orders, [at(one), at(one, 9090)]]]);
    expect(unregistered(ordersKey, [instance(one)], { truth, members })).toEqual([
      { cluster: east, workload: "east/prod/b", address: "10.0.0.1:9090" },
    ]);
  });

  it("is nothing while the cluster is not believed", () => {
    const { truth, members } = world();
    truth.trust(east, false);
    expect(unregistered(ordersKey, [], { truth, members })).toEqual([]);
  });
});
