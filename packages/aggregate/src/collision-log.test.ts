import { registryId, serviceKey } from "@signalbox/model";
import { ServiceNames } from "@signalbox/policy";
import { describe, expect, it } from "vitest";
import { CollisionLog } from "./collision-log.ts";

const registry = registryId("fake", "one");
const identity = {
  registries: ["fake/*"],
  hostnames: ["*"],
  hostname: "{{name}}.prod",
  namespace: "prod",
  aliases: [],
  gather: false,
};

/** Names with a log, and services that come and go one by one. */
function world() {
  const names = new ServiceNames([identity]);
  const lines: string[] = [];
  const warn = (event: string, fields: Readonly<Record<string, unknown>> = {}): void => {
    lines.push(`${event} ${String(fields["loser"] ?? fields["more"])}`);
  };
  const quiet = () => {};
  const log = new CollisionLog(names, { debug: quiet, info: quiet, warn, error: quiet });
  const change = (hostname: string, service: boolean): void => {
    const own = { hostname, namespace: "default" };
    names.update(registry, serviceKey(own), service ? own : undefined);
  };
  return {
    names,
    log,
    /** Says all these in one update, and gives what was logged. */
    told: ({ come = [], go = [] }: { readonly come?: readonly string[]; readonly go?: readonly string[] }) => {
      for (const one of go) change(one, false);
      for (const one of come) change(one, true);
      log.look();
      return lines.splice(0);
    },
  };
}

describe("the log of collisions", () => {
  it("is told once of a collision, whatever comes after it", () => {
    const { told } = world();
    expect(told({ come: ["or-ders.x", "orders.x"] })).toEqual([]);
    expect(told({ come: ["or_ders.x"] })).toEqual(["service-name-collision default/or_ders.x"]);
    expect(told({ come: ["or_ders.x", "other.x"] })).toEqual([]);
  });

  it("is told of the one that has to give up its name when an earlier one comes", () => {
    const { told } = world();
    told({ come: ["or_ders.x"] });
    expect(told({ come: ["or-ders.x"] })).toEqual(["service-name-collision default/or_ders.x"]);
  });

  it("is not told again when somebody else has the name, nor when services come and go within one update", () => {
    const { told } = world();
    told({ come: ["a-b.x", "a_b.x", "a~b.x"] });
    expect(told({ go: ["a-b.x"], come: ["a+b.x"] })).toEqual([]);
    expect(told({ go: ["a_b.x"], come: ["a_b.x"] })).toEqual([]);
  });

  it("is told again of a collision that was over", () => {
    const { told } = world();
    told({ come: ["a-b.x", "a_b.x"] });
    expect(told({ go: ["a_b.x"] })).toEqual([]);
    expect(told({ come: ["a_b.x"] })).toEqual(["service-name-collision default/a_b.x"]);
    expect(told({ go: ["a-b.x"] })).toEqual([]);
    expect(told({ come: ["a-b.x"] })).toEqual(["service-name-collision default/a_b.x"]);
  });

  it("is told of ten at once, and how many more there are", () => {
    const { told } = world();
    const same = Array.from("!$%&'()*+,;=@", (sign) => `a${sign}b.x`);
    const lines = told({ come: same });
    expect(lines).toHaveLength(11);
    expect(lines[10]).toBe(`service-name-collisions-omitted ${same.length - 1 - 10}`);
  });

  it("does not ask for the collisions while there is no change", () => {
    const names = { collisionChanges: 4, collisions: () => expect.unreachable() };
    const quiet = () => {};
    new CollisionLog(names, { debug: quiet, info: quiet, warn: quiet, error: quiet }).look();
  });
});
