import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { anyPack, anyUnpack } from "@bufbuild/protobuf/wkt";
import { typeUrls } from "@signalbox/envoy-api";
import type { TypeUrl } from "@signalbox/envoy-api";
import { Cluster_DiscoveryType, ClusterSchema } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import type { Cluster } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import { TransportSocketSchema } from "@signalbox/envoy-api/envoy/config/core/v3/base";
import { ClusterLoadAssignmentSchema } from "@signalbox/envoy-api/envoy/config/endpoint/v3/endpoint";
import { ListenerSchema } from "@signalbox/envoy-api/envoy/config/listener/v3/listener";
import { RouteConfigurationSchema } from "@signalbox/envoy-api/envoy/config/route/v3/route";
import { HttpConnectionManagerSchema } from "@signalbox/envoy-api/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager";
import { SecretSchema } from "@signalbox/envoy-api/envoy/extensions/transport_sockets/tls/v3/secret";
import { UpstreamTlsContextSchema } from "@signalbox/envoy-api/envoy/extensions/transport_sockets/tls/v3/tls";
import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { restConfigSource, withConfigSources } from "./file-publisher-config-sources.ts";
import { fileNameOf } from "./file-publisher-files.ts";
import { createFilePublisher } from "./file-publisher.ts";
import type { FilePublisherEvent } from "./file-publisher.ts";
import { resourceOf } from "./resource.ts";
import type { Resource } from "./resource.ts";
import { SnapshotCache } from "./snapshot-cache.ts";
import type { Snapshot } from "./snapshot-cache.ts";
import { waitFor } from "./testing/wait.ts";

const ads = { configSourceSpecifier: { case: "ads", value: {} } } as const;

function cluster(name: string, change: (message: Cluster) => void = () => {}): Resource {
  const message = create(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { edsConfig: ads },
  });
  change(message);
  return resourceOf(name, toBinary(ClusterSchema, message));
}

function endpoints(name: string, port: number): Resource {
  const address = {
    address: {
      case: "socketAddress",
      value: { address: "127.0.0.1", portSpecifier: { case: "portValue", value: port } },
    },
  } as const;
  const message = create(ClusterLoadAssignmentSchema, {
    clusterName: name,
    endpoints: [{ lbEndpoints: [{ hostIdentifier: { case: "endpoint", value: { address } } }] }],
  });
  return resourceOf(name, toBinary(ClusterLoadAssignmentSchema, message));
}

function listener(name: string, route: string): Resource {
  const manager = create(HttpConnectionManagerSchema, {
    statPrefix: name,
    routeSpecifier: { case: "rds", value: { routeConfigName: route, configSource: ads } },
  });
  const message = create(ListenerSchema, {
    name,
    filterChains: [
      {
        filters: [
          { name: "http", configType: { case: "typedConfig", value: anyPack(HttpConnectionManagerSchema, manager) } },
        ],
      },
    ],
  });
  return resourceOf(name, toBinary(ListenerSchema, message));
}

function route(name: string): Resource {
  return resourceOf(name, toBinary(RouteConfigurationSchema, create(RouteConfigurationSchema, { name })));
}

function snapshot(
  types: Partial<Record<"cluster" | "endpoint" | "listener" | "route" | "secret", Resource[]>>,
): Snapshot {
  return new Map(Object.entries(types).map(([kind, resources]) => [typeUrls[kind as keyof typeof types], resources]));
}

let dir: string;
let cache: SnapshotCache;
let events: FilePublisherEvent[];
let stop: AbortController;
let running: Promise<void> | undefined;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "xds-files-"));
  cache = new SnapshotCache();
  events = [];
  stop = new AbortController();
});

afterEach(async () => {
  stop.abort();
  await running;
  running = undefined;
  await rm(dir, { recursive: true });
});

function run(): void {
  const publisher = createFilePublisher({
    source: cache,
    node: { id: "web" },
    dir,
    clientDir: "/etc/envoy/xds",
    retryMs: 10,
    onEvent: (event) => events.push(event),
  });
  running = publisher.run(stop.signal);
}

async function json(path: string): Promise<unknown> {
  return JSON.parse(await readFile(join(dir, path), "utf8"));
}

const full = snapshot({
  cluster: [
    cluster("b"),
    cluster("a", ({ edsClusterConfig }) => {
      if (edsClusterConfig) edsClusterConfig.serviceName = "outbound|80||a";
    }),
  ],
  endpoint: [endpoints("outbound|80||a", 8080), endpoints("b", 8081)],
  listener: [listener("0.0.0.0_80", "80")],
  route: [route("80")],
});

describe("a file publisher", () => {
  it("writes collections and single resources in the order in which they refer to each other", async () => {
    cache.setSnapshot("web", full);
    run();
    expect(await waitFor(() => events[0], "an event")).toEqual({
      type: "files-published",
      written: ["eds/b.json", "eds/outbound%7C80%7C%7Ca.json", "cds.json", "rds/80.json", "lds.json"],
      removed: [],
    });
    expect(await json("cds.json")).toMatchObject({
      typeUrl: typeUrls.cluster,
      versionInfo: cache.view("web")?.version(typeUrls.cluster),
      resources: [
        {
          "@type": typeUrls.cluster,
          name: "a",
          edsClusterConfig: {
            edsConfig: {
              pathConfigSource: { path: "/etc/envoy/xds/eds/outbound%7C80%7C%7Ca.json" },
              resourceApiVersion: "V3",
            },
          },
        },
        { name: "b", edsClusterConfig: { edsConfig: { pathConfigSource: { path: "/etc/envoy/xds/eds/b.json" } } } },
      ],
    });
    expect(await json("eds/b.json")).toMatchObject({ resources: [{ "@type": typeUrls.endpoint, clusterName: "b" }] });
    expect(JSON.stringify(await json("lds.json"))).toContain('"path":"/etc/envoy/xds/rds/80.json"');
    expect(await readdir(dir)).toEqual(["cds.json", "eds", "lds.json", "rds"]);
  });

  it("touches only what changed, and removes what is gone last", async () => {
    cache.setSnapshot("web", full);
    run();
    await waitFor(() => events.length === 1, "the first files");
    const inode = async (path: string): Promise<number> => (await stat(join(dir, path))).ino;
    const before = await Promise.all(["cds.json", "eds/b.json", "lds.json"].map(inode));
    cache.update("web", new Map([[typeUrls.endpoint, { upserted: [endpoints("b", 9090)], removed: [] }]]));
    expect(await waitFor(() => events[1], "the change")).toMatchObject({ written: ["eds/b.json"], removed: [] });
    const after = await Promise.all(["cds.json", "eds/b.json", "lds.json"].map(inode));
    expect(after.map((value, index) => value === before[index])).toEqual([true, false, true]);

    await writeFile(join(dir, "eds", "mine.json"), "{}");
    cache.setSnapshot("web", snapshot({ cluster: [cluster("b")], endpoint: [endpoints("b", 9090)] }));
    expect(await waitFor(() => events[2], "the removal")).toEqual({
      type: "files-published",
      written: ["cds.json", "lds.json"],
      removed: ["eds/outbound%7C80%7C%7Ca.json", "rds/80.json"],
    });
    expect((await readdir(join(dir, "eds"))).sort()).toEqual(["b.json", "mine.json"]);
  });

  it("writes nothing when it starts again with the same resources", async () => {
    cache.setSnapshot("web", full);
    run();
    await waitFor(() => events.length === 1, "the first files");
    stop.abort();
    await running;
    stop = new AbortController();
    events = [];
    run();
    cache.update("web", new Map([[typeUrls.route, { upserted: [route("81")], removed: [] }]]));
    expect(await waitFor(() => events[0], "a change")).toMatchObject({ written: ["rds/81.json"] });
  });

  const cert = (name: string): Resource => resourceOf(name, toBinary(SecretSchema, create(SecretSchema, { name })));

  it("removes what an earlier run left and nobody wants any more, and nothing that others wrote", async () => {
    const long = `x${"/".repeat(300)}`;
    cache.setSnapshot("web", snapshot({ endpoint: [endpoints(long, 1), endpoints("b", 1)], secret: [cert("old")] }));
    run();
    await waitFor(() => events.length === 1, "the first files");
    stop.abort();
    await running;
    const others = {
      "mine.json": "{}",
      "typed.json": JSON.stringify({ typeUrl: typeUrls.cluster }),
      "broken.json": "{",
      "notes.txt": JSON.stringify({ typeUrl: typeUrls.endpoint }),
      ".hidden.json": JSON.stringify({ typeUrl: typeUrls.endpoint }),
    };
    for (const [name, content] of Object.entries(others)) await writeFile(join(dir, "eds", name), content);
    await symlink(join(dir, "eds", "b.json"), join(dir, "eds", "link.json"));
    await writeFile(join(dir, "sds", ".0123456789abcdef.tmp"), "half of a secret");
    cache.setSnapshot("web", snapshot({ endpoint: [endpoints("b", 1)] }));
    stop = new AbortController();
    events = [];
    run();
    expect(await waitFor(() => events[0], "the removal")).toMatchObject({
      removed: [`eds/${fileNameOf(long)}.json`, "sds/old.json"],
    });
    expect(await readdir(join(dir, "sds"))).toEqual([]);
    expect((await readdir(join(dir, "eds"))).sort()).toEqual([...Object.keys(others), "b.json", "link.json"].sort());
  });

  it("takes away the rights that an earlier file gave to others", async () => {
    cache.setSnapshot("web", snapshot({ secret: [cert("key")] }));
    run();
    await waitFor(() => events.length === 1, "the first files");
    stop.abort();
    await running;
    const path = join(dir, "sds", "key.json");
    await chmod(path, 0o644);
    stop = new AbortController();
    run();
    await waitFor(() => (statSync(path).mode & 0o777) === 0o600, "the right mode");
  });

  it("repairs at the next change what others changed or removed", async () => {
    cache.setSnapshot("web", snapshot({ endpoint: [endpoints("a", 1), endpoints("b", 1), endpoints("c", 1)] }));
    run();
    await waitFor(() => events.length === 1, "the first files");
    const before = await readFile(join(dir, "eds", "a.json"), "utf8");
    await writeFile(join(dir, "eds", "a.json"), "{}");
    await rm(join(dir, "eds", "b.json"));
    cache.update("web", new Map([[typeUrls.endpoint, { upserted: [endpoints("d", 1)], removed: [] }]]));
    expect(await waitFor(() => events[1], "the change")).toMatchObject({
      written: ["eds/a.json", "eds/b.json", "eds/d.json"],
      removed: [],
    });
    expect(await readFile(join(dir, "eds", "a.json"), "utf8")).toBe(before);
  });

  it("writes a file for what is referred to and not known yet, so that the client does not refuse the path", async () => {
    cache.setSnapshot("web", snapshot({ cluster: [cluster("a")], listener: [listener("l", "80")] }));
    run();
    await waitFor(() => events.length === 1, "the files");
    expect(await json("eds/a.json")).toMatchObject({ resources: [{ clusterName: "a" }] });
    expect(await json("rds/80.json")).toEqual({ typeUrl: typeUrls.route });
  });

  it("waits while nothing is known for its node, and keeps the files when it is forgotten", async () => {
    run();
    cache.setSnapshot("web", full);
    await waitFor(() => events.length === 1, "the files");
    cache.clearSnapshot("web");
    cache.setSnapshot("web", snapshot({ cluster: [cluster("b")] }));
    await waitFor(() => events.length === 2, "the change");
    expect(await json("cds.json")).toMatchObject({ resources: [{ name: "b" }] });
  });

  it("leaves out a resource that it cannot decode, and says so once", async () => {
    cache.setSnapshot("web", snapshot({ cluster: [cluster("good"), resourceOf("bad", Uint8Array.of(255, 255))] }));
    run();
    await waitFor(() => events.some(({ type }) => type === "files-published"), "the files");
    cache.update("web", new Map([[typeUrls.cluster, { upserted: [cluster("better")], removed: [] }]]));
    await waitFor(() => events.filter(({ type }) => type === "files-published").length === 2, "the change");
    expect(events.filter(({ type }) => type === "file-resource-skipped")).toMatchObject([
      { resourceType: typeUrls.cluster, name: "bad" },
    ]);
    expect(await json("cds.json")).toMatchObject({ resources: [{ name: "better" }, { name: "good" }] });
  });

  it("tries again when it cannot write", async () => {
    await writeFile(join(dir, "eds"), "a file where a folder must be");
    cache.setSnapshot("web", full);
    run();
    await waitFor(() => events.some(({ type }) => type === "files-failed"), "a failure");
    await rm(join(dir, "eds"));
    await waitFor(() => events.at(-1)?.type === "files-published", "the files");
    expect(await readdir(join(dir, "eds"))).toHaveLength(2);
  });

  it("keeps secrets for its own user", async () => {
    const secret = resourceOf("cert", new Uint8Array());
    cache.setSnapshot("web", snapshot({ secret: [secret] }));
    run();
    await waitFor(() => events.length === 1, "the files");
    expect((await stat(join(dir, "sds", "cert.json"))).mode & 0o777).toBe(0o600);
    expect((await stat(join(dir, "cds.json"))).mode & 0o044).toBe(0o044);
    await chmod(join(dir, "sds", "cert.json"), 0o640);
  });
});

describe("config sources", () => {
  const rest = restConfigSource("xds", 1_500);

  it("of a cluster's endpoints and TLS secrets are replaced, also within Any", () => {
    const context = create(UpstreamTlsContextSchema, {
      commonTlsContext: { tlsCertificateSdsSecretConfigs: [{ name: "cert", sdsConfig: ads }] },
    });
    const { bytes } = cluster("a", (message) => {
      message.transportSocket = create(TransportSocketSchema, {
        name: "tls",
        configType: { case: "typedConfig", value: anyPack(UpstreamTlsContextSchema, context) },
      });
    });
    const asked: string[] = [];
    const any = withConfigSources(typeUrls.cluster, bytes, ({ type, name }) => {
      asked.push(`${type.split(".").at(-1) ?? ""} ${name}`);
      return rest;
    });
    expect(asked).toEqual(["ClusterLoadAssignment a", "Secret cert"]);
    const changed = fromBinary(ClusterSchema, any.value);
    expect(changed.edsClusterConfig?.edsConfig?.configSourceSpecifier).toMatchObject({
      case: "apiConfigSource",
      value: { clusterNames: ["xds"], refreshDelay: { seconds: 1n, nanos: 500_000_000 } },
    });
    const socket = changed.transportSocket?.configType;
    const inner = socket?.value === undefined ? undefined : anyUnpack(socket.value, UpstreamTlsContextSchema);
    expect(inner?.commonTlsContext?.tlsCertificateSdsSecretConfigs[0]?.sdsConfig?.configSourceSpecifier.case).toBe(
      "apiConfigSource",
    );
  });

  it.each<[string, TypeUrl, Resource]>([
    [
      "other than ADS",
      typeUrls.cluster,
      cluster("a", ({ edsClusterConfig }) => {
        if (edsClusterConfig?.edsConfig)
          edsClusterConfig.edsConfig.configSourceSpecifier = restConfigSource("other", 1);
      }),
    ],
    [
      "of a cluster without EDS",
      typeUrls.cluster,
      cluster("a", (message) => {
        message.clusterDiscoveryType = { case: "type", value: Cluster_DiscoveryType.STATIC };
      }),
    ],
    ["that are not there", typeUrls.route, route("80")],
  ])("%s stay as they are", (_name, type, { bytes }) => {
    expect(withConfigSources(type, bytes, () => rest).value).toEqual(bytes);
  });
});

describe("file names", () => {
  it.each([
    ["outbound|80||web.default.svc", "outbound%7C80%7C%7Cweb.default.svc"],
    ["../../etc/passwd", "%2E.%2F..%2Fetc%2Fpasswd"],
    ["", ""],
    ["ü", "%C3%BC"],
    [".hidden", "%2Ehidden"],
  ])("of %j are %j", (name, file) => {
    expect(fileNameOf(name)).toBe(file);
  });

  it("of long names differ and fit", () => {
    const [one, other] = [fileNameOf(`${"x".repeat(300)}1`), fileNameOf(`${"x".repeat(300)}2`)];
    expect(one).not.toBe(other);
    expect(one.length).toBeLessThan(200);
  });
});
