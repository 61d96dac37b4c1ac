import { describe, expect, it } from "vitest";
import type { ClientView, DebugSources, RuleView } from "./sources.ts";
import { get } from "./testdata/get.ts";
import { client } from "./testdata/world.ts";

const rule = (key: string, more: Partial<RuleView> = {}): RuleView => {
  return { key, accepted: true, inForce: true, errors: [], warnings: [], faults: [], ...more };
};

/** Sources with these rules; every client uses all of them. Remembers what was asked. */
function ruled(keys: readonly RuleView[], clients: readonly ClientView[] = []) {
  const asked: { keys: readonly string[]; clients: readonly string[] }[] = [];
  const sources: Partial<DebugSources> = {
    rules: () => keys,
    clients: () => clients,
    ruleUsers: (wanted, among) => {
      asked.push({ keys: wanted, clients: among.map(({ nodeId, stream }) => `${nodeId}-${stream}`) });
      return new Map(wanted.map((key) => [key, among]));
    },
  };
  return { asked, sources };
}

const three = [rule("VirtualService/b/v"), rule("Gateway/a/g"), rule("VirtualService/a/v")];

describe("/debug/rulesz", () => {
  it("says how each object fares and who uses it, by object", async () => {
    const wrong = { accepted: false, inForce: false, errors: ["spec: e"], warnings: ["spec: w"], faults: ["f"] };
    const { sources } = ruled([rule("VirtualService/a/v"), rule("EnvoyFilter/a/f", wrong)], [client(1, "p1")]);
    expect((await get("/debug/rulesz", sources)).json()).toEqual({
      total: 2,
      rules: [
        { object: "EnvoyFilter/a/f", ...wrong, proxyCount: 1, proxies: ["p1"] },
        { object: "VirtualService/a/v", accepted: true, inForce: true, proxyCount: 1, proxies: ["p1"] },
      ],
    });
  });

  it("sends who asks for services to where they are", async () => {
    const { sources } = ruled([
      rule("ServiceEntry/a/s", { inForce: false, warnings: ["w"] }),
      rule("WorkloadEntry/a/w"),
    ]);
    const note = "/debug/registryz shows what it makes";
    expect((await get("/debug/rulesz", sources)).json()).toMatchObject({
      rules: [
        { object: "ServiceEntry/a/s", accepted: true, warnings: ["w"], note },
        { object: "WorkloadEntry/a/w", accepted: true, note },
      ],
    });
    expect((await get("/debug/rulesz", sources)).body).not.toMatch(/inForce|proxyCount/);
  });

  it.each([
    ["?kind=VirtualService", 2, ["VirtualService/a/v", "VirtualService/b/v"], undefined],
    ["?namespace=a", 2, ["Gateway/a/g", "VirtualService/a/v"], undefined],
    ["?kind=Gateway&namespace=b", 0, [], undefined],
    ["?limit=2", 3, ["Gateway/a/g", "VirtualService/a/v"], "VirtualService/a/v"],
    ["?limit=2&after=VirtualService/a/v", 3, ["VirtualService/b/v"], undefined],
  ])("%s asks for a part, and of its users alone", async (query, total, objects, next) => {
    const { asked, sources } = ruled(three);
    const answer = (await get(`/debug/rulesz${query}`, sources)).json() as { rules: { object: string }[] };
    expect(answer).toMatchObject({ total, ...(next !== undefined && { next }) });
    expect(answer).toHaveProperty("rules.length", objects.length);
    expect("next" in answer).toBe(next !== undefined);
    expect(answer.rules.map(({ object }) => object)).toEqual(objects);
    expect(asked.map(({ keys }) => keys)).toEqual([objects]);
  });

  it("asks for each proxy's newest stream, of proxies that said who they are", async () => {
    const { asked, sources } = ruled(three, [client(9, "b"), client(1, "a"), client(3, "a"), client(2, "")]);
    await get("/debug/rulesz", sources);
    expect(asked.map(({ clients }) => clients)).toEqual([["a-3", "b-9"]]);
  });

  it("looks at a thousand proxies and names twenty, and says what it left out", async () => {
    const many = Array.from({ length: 1005 }, (_, index) => client(index, `p${String(index).padStart(4, "0")}`));
    const { sources } = ruled([rule("Gateway/a/g")], many);
    const answer = (await get("/debug/rulesz", sources)).json() as { rules: { proxies: string[] }[] };
    expect(answer).toMatchObject({ proxiesLeftOut: 5, rules: [{ proxyCount: 1000 }] });
    expect(answer.rules[0]?.proxies).toHaveLength(20);
  });

  it("has at most a hundred objects where nothing is asked", async () => {
    const many = Array.from({ length: 101 }, (_, index) => rule(`Gateway/a/g${String(index).padStart(3, "0")}`));
    const answer = (await get("/debug/rulesz", ruled(many).sources)).json();
    expect(answer).toMatchObject({ total: 101, next: "Gateway/a/g099", rules: { length: 100 } });
  });

  it.each(["0", "1001", "-1", "x", "1.5", "99999"])("refuses the limit %s", async (limit) => {
    const answer = await get(`/debug/rulesz?limit=${limit}`, ruled(three).sources);
    expect([answer.status, answer.json()]).toMatchObject([400, { code: "SBX_LIMIT_INVALID" }]);
  });

  it("says so where this process does not serve rules", async () => {
    const answer = await get("/debug/rulesz", { rules: () => undefined });
    expect([answer.status, answer.json()]).toMatchObject([404, { code: "SBX_NO_RULES" }]);
  });
});

describe("/debug/analyze", () => {
  const finding = (object: string) => {
    return { code: "IST0101", level: "error", object, path: ["spec", "hosts", 0], message: "is not there" };
  };

  it("lists what was found, of a kind or namespace", async () => {
    const analysis = () => [finding("VirtualService/a/v"), finding("VirtualService/b/v"), finding("Gateway/a/g")];
    expect((await get("/debug/analyze?kind=VirtualService&namespace=a", { analysis })).json()).toEqual([
      {
        code: "IST0101",
        level: "error",
        object: "VirtualService/a/v",
        path: "spec.hosts[0]",
        message: "is not there",
      },
    ]);
  });

  it("says that there is no catalog yet", async () => {
    const answer = await get("/debug/analyze", { analysis: () => undefined });
    expect([answer.status, answer.json()]).toMatchObject([503, { code: "SBX_NO_CATALOG" }]);
  });
});
