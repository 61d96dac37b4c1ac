import { existsSync } from "node:fs";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { adsBootstrap, fileBootstrap, restBootstrap, socketAddress } from "./bootstrap.ts";
import type { Bootstrap } from "./bootstrap.ts";
import { EnvoyFailedError, startEnvoy } from "./envoy.ts";
import type { RunningEnvoy } from "./envoy.ts";
import { startHttpBackend } from "./http-backend.ts";
import { freePort } from "./ports.ts";
import { waitFor } from "./wait-for.ts";

const xds = (type: string): string => `type.googleapis.com/envoy.${type}`;

function listener(port: number, cluster: string): object {
  return {
    name: "in",
    address: socketAddress("127.0.0.1", port),
    filter_chains: [
      {
        filters: [
          {
            name: "http",
            typed_config: {
              "@type": xds("extensions.filters.network.http_connection_manager.v3.HttpConnectionManager"),
              stat_prefix: "in",
              route_config: {
                virtual_hosts: [
                  { name: "all", domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster } }] },
                ],
              },
              http_filters: [
                { name: "router", typed_config: { "@type": xds("extensions.filters.http.router.v3.Router") } },
              ],
            },
          },
        ],
      },
    ],
  };
}

function cluster(name: string, port: number): object {
  const endpoint = { address: socketAddress("127.0.0.1", port) };
  return {
    name,
    type: "STATIC",
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: [{ endpoint }] }] },
  };
}

async function start(bootstrap: Bootstrap | string, until: "live" | "admin" = "live"): Promise<RunningEnvoy> {
  const envoy = await startEnvoy({ bootstrap, until });
  onTestFinished(() => envoy.stop());
  return envoy;
}

async function startWithBackend(): Promise<{ envoy: RunningEnvoy; url: string }> {
  const backend = await startHttpBackend({ name: "blue" });
  onTestFinished(backend.stop);
  const port = await freePort();
  const envoy = await start({
    static_resources: { listeners: [listener(port, "blue")], clusters: [cluster("blue", backend.port)] },
  });
  return { envoy, url: `http://127.0.0.1:${port}/` };
}

const text = async (url: string, deadlineMs = 5000): Promise<string> =>
  (await fetch(url, { signal: AbortSignal.timeout(deadlineMs), headers: { connection: "close" } })).text();

describe("a real Envoy", () => {
  it("carries a request to a backend and tells what it knows", async () => {
    const { envoy, url } = await startWithBackend();
    expect(await text(url)).toBe("blue");
    const dump = await envoy.configDump();
    expect(dump.configs.map((config) => config["@type"])).toContain(xds("admin.v3.ListenersConfigDump"));
    await waitFor(async () => (await envoy.stats("cluster\\.blue\\.upstream_rq_200")).size === 1, {
      what: "the counter",
    });
    expect(await envoy.nacks()).toBe(0);
    expect((await envoy.admin("/no/such/path")).status).toBe(404);
    expect(envoy.log()).toContain("starting main dispatch loop");
  });

  it("takes YAML and adds the admin address", async () => {
    const port = await freePort();
    const yaml = [
      "static_resources:",
      "  listeners:",
      "  - name: empty",
      "    address: { socket_address: { address: 127.0.0.1, port_value: " + String(port) + " } }",
      "    filter_chains:",
      "    - filters:",
      "      - name: echo",
      "        typed_config:",
      `          "@type": ${xds("extensions.filters.network.echo.v3.Echo")}`,
    ].join("\n");
    const envoy = await start(yaml);
    expect((await envoy.admin("/listeners")).body).toContain(`127.0.0.1:${port}`);
  });

  it("is gone at once when killed, and its folder when stopped", async () => {
    const { envoy, url } = await startWithBackend();
    await envoy.kill();
    expect((await envoy.exited).signal).toBe("SIGKILL");
    await expect(text(url)).rejects.toThrow();
    expect(existsSync(envoy.dir)).toBe(true);
    await envoy.stop();
    expect(existsSync(envoy.dir)).toBe(false);
  });

  it("answers nothing while frozen, and goes on when thawed", async () => {
    const { envoy, url } = await startWithBackend();
    envoy.freeze();
    await expect(text(url, 300)).rejects.toThrow();
    envoy.thaw();
    expect(await text(url)).toBe("blue");
  });

  it("can be stopped while frozen", async () => {
    const { envoy } = await startWithBackend();
    envoy.freeze();
    await envoy.stop();
    expect((await envoy.exited).code).toBe(0);
  });

  it("fails with its own words on a bootstrap that it refuses", async () => {
    const error: unknown = await startEnvoy({ bootstrap: { no_such_field: 1 } }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(EnvoyFailedError);
    const { dir, log } = error as EnvoyFailedError;
    onTestFinished(() => rm(dir, { recursive: true, force: true }));
    expect(log).toContain("no_such_field");
  });

  it("makes stop fail when it had ended by itself", async () => {
    const envoy = await startEnvoy({ bootstrap: {} });
    onTestFinished(() => rm(envoy.dir, { recursive: true, force: true }));
    await envoy.admin("/quitquitquit", { method: "POST" });
    await envoy.exited;
    await expect(envoy.stop()).rejects.toMatchObject({ code: "SBX_ENVOY_FAILED" });
  });
});

describe("the bootstraps", () => {
  it.each(["sotw", "delta"] as const)("are accepted for ADS, %s, while the server is away", async (mode) => {
    const node = { id: "n1", metadata: { GENERATOR: "x" } };
    const envoy = await start(adsBootstrap({ node, mode, xdsPort: await freePort() }), "admin");
    const tried = (): Promise<ReadonlyMap<string, number>> =>
      envoy.stats("cluster\\.xds-grpc\\.upstream_cx_connect_fail$");
    await waitFor(async () => ((await tried()).get("cluster.xds-grpc.upstream_cx_connect_fail") ?? 0) > 0, {
      what: "Envoy to try the xDS server",
    });
  });

  it("poll by REST with the node's id", async () => {
    const server = await startHttpBackend({ name: '{"version_info":"1","resources":[]}' });
    onTestFinished(server.stop);
    await start(restBootstrap({ node: { id: "n1" }, restPort: server.port }), "admin");
    await waitFor(() => server.requests() > 1, { what: "two polls" });
    expect(server.lastRequest()).toMatchObject({
      method: "POST",
      path: expect.stringMatching(/^\/v3\/discovery:(clusters|listeners)$/) as string,
    });
  });

  it("read files and take a renamed one", async () => {
    const backends = await Promise.all(["blue", "green"].map((name) => startHttpBackend({ name })));
    for (const backend of backends) onTestFinished(backend.stop);
    const dir = await mkdtemp(join(tmpdir(), "signalbox-files-"));
    onTestFinished(() => rm(dir, { recursive: true, force: true }));
    const [clustersPath, listenersPath] = [join(dir, "cds.json"), join(dir, "lds.json")];
    const write = async (path: string, type: string, resource: object): Promise<void> => {
      const resources = [{ "@type": xds(type), ...resource }];
      await writeFile(`${path}.new`, JSON.stringify({ version_info: "1", resources }));
      await rename(`${path}.new`, path);
    };
    const port = await freePort();
    await write(clustersPath, "config.cluster.v3.Cluster", cluster("web", backends[0]?.port ?? 0));
    await write(listenersPath, "config.listener.v3.Listener", listener(port, "web"));
    const envoy = await start(fileBootstrap({ node: { id: "n1" }, clustersPath, listenersPath }));
    const ask = (): Promise<string> => text(`http://127.0.0.1:${port}/`);
    expect(await ask()).toBe("blue");
    await write(clustersPath, "config.cluster.v3.Cluster", cluster("web", backends[1]?.port ?? 0));
    await waitFor(async () => (await ask()) === "green", { what: "traffic to move" });
    expect(await envoy.nacks()).toBe(0);
  });
});
