import { registryId, type ConfigObject } from "@signalbox/model";
import { describe, expect, it } from "vitest";
import { parseNode } from "./node.ts";
import { renderView } from "./render.ts";
import { catalogOf, entryOf } from "./testing/catalog.ts";
import { createTranslator } from "./translator.ts";

const node = parseNode({
  id: "sidecar~10.0.0.1~a.shop~shop.svc.cluster.local",
  metadata: { GENERATOR: "grpc" },
});
const echo = entryOf({
  hostname: "echo.shop.svc.cluster.local",
  namespace: "shop",
  ports: [{ number: 7070, protocol: "GRPC" }],
  instances: [{ address: "10.0.0.7:7070" }],
});

interface Shown {
  readonly routes: readonly { readonly virtualHosts: readonly { readonly routes: readonly object[] }[] }[];
  readonly listeners: object;
}

function shown(...http: readonly object[]): Shown {
  const spec = { hosts: ["echo.shop.svc.cluster.local"], http };
  const provenance = { registry: registryId("static", "test"), object: "vs" };
  const meta = { namespace: "shop", name: "vs", labels: {}, annotations: {} };
  const object: ConfigObject = { kind: "VirtualService", ...meta, spec, provenance };
  const translator = createTranslator();
  const catalog = catalogOf([echo]);
  const objects = new Map([...catalog.objects]).set("VirtualService/shop/vs" as never, object);
  translator.apply({ v: 1, type: "snapshot", catalog: { ...catalog, objects } });
  return renderView(translator.view(node)) as unknown as Shown;
}

const route = [{ destination: { host: "echo.shop.svc.cluster.local" } }];
const routesOf = ({ routes: [table] }: Shown): readonly object[] => table?.virtualHosts[0]?.routes ?? [];

describe("rules for gRPC clients", () => {
  it("are routes with their matches, shares, times and retries", () => {
    const subset = (name: string, weight: number) => ({
      destination: { host: echo.service.hostname, subset: name },
      weight,
    });
    const routes = routesOf(
      shown(
        {
          name: "say",
          match: [{ uri: { exact: "/test.Echo/Say" }, headers: { "x-user": { exact: "jason" } } }],
          timeout: "2s",
          retries: { attempts: 1, retryOn: "unavailable" },
          route: [subset("v1", 90), subset("v2", 10)],
        },
        { route },
      ),
    );
    expect(routes).toMatchObject([
      {
        name: "say",
        match: { path: "/test.Echo/Say", headers: [{ name: "x-user", stringMatch: { exact: "jason" } }] },
        route: {
          weightedClusters: {
            clusters: [
              { name: "outbound|7070|v1|echo.shop.svc.cluster.local", weight: 90 },
              { name: "outbound|7070|v2|echo.shop.svc.cluster.local", weight: 10 },
            ],
          },
          maxStreamDuration: { grpcTimeoutHeaderMax: "2s" },
          retryPolicy: { retryOn: "unavailable", numRetries: 1 },
        },
      },
      { route: { cluster: "outbound|7070||echo.shop.svc.cluster.local" } },
    ]);
  });

  it("leave out what no gRPC client can tell", () => {
    const routes = routesOf(shown({ match: [{ queryParams: { a: { exact: "b" } } }], route }, { name: "rest", route }));
    expect(routes).toMatchObject([{ name: "rest" }]);
  });

  it.each([
    [{ redirect: { uri: "/b" } }, { grpcStatus: 14 }],
    [{ directResponse: { status: 404 } }, { httpStatus: 404 }],
  ])("fail calls that %j is for with %j", (answer, abort) => {
    const view = shown(answer);
    expect(routesOf(view)).toMatchObject([
      {
        route: { cluster: "outbound|7070||echo.shop.svc.cluster.local" },
        typedPerFilterConfig: { "envoy.filters.http.fault": { abort: { ...abort, percentage: { numerator: 100 } } } },
      },
    ]);
    expect(JSON.stringify(view.listeners)).toContain('"name":"envoy.filters.http.fault"');
  });

  it("have no CORS, and no filter but the router without faults", () => {
    const view = shown({ route, corsPolicy: { allowOrigins: [{ exact: "a.test" }] } });
    expect(JSON.stringify(view)).not.toMatch(/cors|fault/);
  });

  it("have faults, with the filter that makes them before the router", () => {
    const view = shown({ route, fault: { abort: { httpStatus: 503, percentage: { value: 100 } } } });
    expect(routesOf(view)).toMatchObject([{ typedPerFilterConfig: { "envoy.filters.http.fault": {} } }]);
    expect(JSON.stringify(view.listeners)).toMatch(
      /"name":"envoy\.filters\.http\.fault".*"name":"envoy\.filters\.http\.router"/,
    );
  });
});
