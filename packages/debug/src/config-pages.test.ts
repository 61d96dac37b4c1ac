import { describe, expect, it } from "vitest";
import type { ClientView, ConfigDumpRequest } from "./sources.ts";
import { get } from "./testdata/get.ts";
import { catalog, cds, client, configObject, eds } from "./testdata/world.ts";

function dumping() {
  const asked: { client: ClientView; request: ConfigDumpRequest }[] = [];
  const configDump = (view: ClientView, request: ConfigDumpRequest): Promise<object | undefined> => {
    asked.push({ client: view, request });
    return Promise.resolve(view.nodeId === "cold" ? undefined : { configs: [{ node: view.nodeId }] });
  };
  const clients = () => [client(1, "a.shop"), client(4, "a.shop"), client(2, "b.shop"), client(3, "cold")];
  return { asked, sources: { clients, configDump } };
}

describe("/debug/config_dump", () => {
  it("asks for the newest stream of the proxy, without endpoints", async () => {
    const { asked, sources } = dumping();
    const answer = await get("/debug/config_dump?proxyID=a.shop", sources);
    expect(answer.json()).toEqual({ configs: [{ node: "a.shop" }] });
    expect(asked).toMatchObject([{ client: { stream: 4 }, request: { types: undefined, includeEds: false } }]);
  });

  it.each([
    ["/debug/config_dump?proxyID=b.shop&include_eds", undefined, true],
    ["/debug/config_dump?proxyID=b.shop&types=CDS,eds", [cds, eds], false],
    ["/debug/edsz?proxyID=b.shop", [eds], false],
    ["/debug/edsz?proxyID=b.shop&types=cds", [eds], false],
    ["/debug/ndsz?proxyID=b.shop", ["type.googleapis.com/istio.networking.nds.v1.NameTable"], false],
  ])("%s", async (url, types, includeEds) => {
    const { asked, sources } = dumping();
    expect((await get(url, sources)).status).toBe(200);
    expect(asked).toMatchObject([{ client: { nodeId: "b.shop" }, request: { types, includeEds } }]);
  });

  it.each([
    ["/debug/config_dump", 400, { code: "SBX_PROXY_ID_MISSING", proxies: ["a.shop", "b.shop", "cold"] }],
    ["/debug/edsz", 400, { code: "SBX_PROXY_ID_MISSING" }],
    ["/debug/config_dump?proxyID=x", 404, { code: "SBX_PROXY_UNKNOWN", proxies: ["a.shop", "b.shop", "cold"] }],
    ["/debug/config_dump?proxyID=shop", 400, { code: "SBX_PROXY_ID_AMBIGUOUS", proxies: ["a.shop", "b.shop"] }],
    ["/debug/config_dump?proxyID=b.shop&types=xyz", 400, { code: "SBX_TYPE_UNKNOWN" }],
    ["/debug/config_dump?proxyID=cold", 503, { code: "SBX_NOTHING_FOR_PROXY" }],
  ])("%s answers %i", async (url, status, body) => {
    const answer = await get(url, dumping().sources);
    expect(answer.status).toBe(status);
    expect(answer.json()).toMatchObject(body);
  });

  it("says so when this process makes no configurations", async () => {
    const answer = await get("/debug/config_dump?proxyID=a", { clients: () => [client(1, "a")] });
    expect(answer.status).toBe(404);
    expect(answer.json()).toMatchObject({ code: "SBX_NO_CONFIG_DUMP" });
  });
});

describe("the pages about configuration", () => {
  it("/debug/configz lists objects as Kubernetes has them, sorted", async () => {
    const objects = [
      { ...configObject("VirtualService", "web", { hosts: ["web"] }), labels: { b: "2", a: "1" }, createdAt: 0 },
      configObject("DestinationRule", "web"),
      configObject("Unheard", "of"),
    ];
    const answer = await get("/debug/configz", { catalog: () => catalog([], objects) });
    expect(answer.json()).toEqual([
      expect.objectContaining({ kind: "DestinationRule", apiVersion: "networking.istio.io/v1" }),
      expect.not.objectContaining({ apiVersion: expect.anything() as unknown }),
      {
        kind: "VirtualService",
        apiVersion: "networking.istio.io/v1",
        metadata: {
          name: "web",
          namespace: "default",
          labels: { a: "1", b: "2" },
          creationTimestamp: "1970-01-01T00:00:00.000Z",
        },
        spec: { hosts: ["web"] },
        source: { registry: "kubernetes/shop", object: "VirtualService default/web" },
      },
    ]);
  });

  it("/debug/resourcesz lists kinds", async () => {
    const kinds = (await get("/debug/resourcesz")).json();
    expect(kinds).toContainEqual({ group: "networking.istio.io", version: "v1", kind: "ServiceEntry" });
  });

  it("/debug/mesh shows the mesh configuration, and is 404 without one", async () => {
    expect((await get("/debug/mesh", { mesh: () => ({ rootNamespace: "istio-system" }) })).json()).toEqual({
      rootNamespace: "istio-system",
    });
    expect((await get("/debug/mesh")).status).toBe(404);
  });

  it("/debug/registriesz shows state and error, sorted", async () => {
    const registries = () => [
      { id: "static/b", state: "SYNCED", services: 2, lastCompleteRead: 0, ageMs: 1500 },
      { id: "static/c", state: "EXPIRED", services: 0, withheld: true as const },
      { id: "static/d", state: "EXPIRED", services: 1, deprioritised: true as const },
      { id: "static/a", state: "STALE", problem: "UNREACHABLE", services: 1, lastError: new Error("refused") },
    ];
    expect((await get("/debug/registriesz", { registries })).json()).toEqual([
      { id: "static/a", state: "STALE", problem: "UNREACHABLE", services: 1, lastError: "refused" },
      { id: "static/b", state: "SYNCED", services: 2, lastCompleteRead: "1970-01-01T00:00:00.000Z", ageSeconds: 1.5 },
      { id: "static/c", state: "EXPIRED", services: 0, withheld: true },
      { id: "static/d", state: "EXPIRED", services: 1, deprioritised: true },
    ]);
  });
});
