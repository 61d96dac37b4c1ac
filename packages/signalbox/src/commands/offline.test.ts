import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { main } from "../cli.ts";
import { capturedContext } from "../testing/captured-context.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "offline-test-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function file(name: string, text: string): string {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
}

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const context = capturedContext();
  const code = await main(args, context);
  return { code, out: context.out(), err: context.err().replaceAll(`${dir}/`, "") };
}

const serviceEntry = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: db, namespace: data }
spec:
  hosts: [db.example.com]
  ports: [{ number: 5432, name: tcp, protocol: TCP }]
  resolution: STATIC
  location: MESH_INTERNAL
  endpoints:
    - { address: 10.0.0.2, ports: { tcp: 15432 }, labels: { version: v1 } }
    - { address: "unix:///run/db.sock" }
`;
const shortForm = `
services:
  - name: web
    namespace: shop
    ports: [{ name: http, number: 8000 }]
    endpoints: ["127.0.0.1:9001", "[::1]:9002"]
`;

describe("signalbox catalog", () => {
  it("prints services with ports and instances as JSON, sorted", async () => {
    const { code, out } = await run(
      "catalog",
      "--rules",
      file("b.yaml", shortForm),
      file("a.yaml", serviceEntry),
      "-o",
      "json",
    );
    expect(code).toBe(0);
    const { services } = JSON.parse(out) as { services: Record<string, unknown>[] };
    expect(services).toMatchObject([
      {
        hostname: "db.example.com",
        namespace: "data",
        ports: [{ name: "tcp", number: 5432, protocol: "TCP" }],
        resolution: "STATIC",
        addresses: [],
        meshExternal: false,
        instances: [
          { address: "/run/db.sock", port: 0, labels: {} },
          { address: "10.0.0.2", port: 15432, labels: { version: "v1" } },
        ],
      },
      {
        hostname: "web.shop.svc.cluster.local",
        instances: [
          { address: "127.0.0.1", port: 9001 },
          { address: "::1", port: 9002 },
        ],
      },
    ]);
  });

  it("prints a table for people", async () => {
    const { out } = await run("catalog", "--rules", file("a.yaml", shortForm));
    expect(out).toBe(
      [
        "NAMESPACE  HOSTNAME                    PORT       PROTOCOL  RESOLUTION  ENDPOINTS",
        "shop       web.shop.svc.cluster.local  8000/http  HTTP      STATIC      2          127.0.0.1:9001 [::1]:9002",
        "",
      ].join("\n"),
    );
  });

  it("says that the catalog is empty", async () => {
    expect(await run("catalog", "--rules", file("empty.yaml", ""))).toMatchObject({
      code: 0,
      out: "The catalog is empty.\n",
    });
  });

  it("prints what could be read, names what could not with its place, and ends with 1", async () => {
    const broken = file("broken.yaml", `${shortForm}  - name: second\n    ports: oops\n`);
    const { code, err, out } = await run("catalog", "--rules", broken);
    expect(code).toBe(1);
    expect(out).toContain("web.shop.svc.cluster.local");
    expect(err).toContain("not everything could be read");
    expect(err).toMatch(/broken\.yaml:8:\d+: .*ports/);
  });

  it("ends with 2 when a named file is not there", async () => {
    expect(await run("catalog", "--rules", join(dir, "nope.yaml"))).toMatchObject({
      code: 2,
      err: expect.stringContaining("nope.yaml cannot be read: ENOENT") as string,
    });
  });

  it.each([
    [
      "services:\n  - { name: a, ports: [80] }\n",
      /^This looks like a file of services: signalbox run --files .*c\.yaml,/m,
    ],
    [
      "apiVersion: networking.istio.io/v1\nkind: Sidecar\n",
      /^This looks like an object .* signalbox run --files .*c\.yaml,/m,
    ],
    ["debug: { prot: 1 }\n", /unknown key; did you mean "port"\?\n$/],
  ])("says what to do with a configuration that is something else: %j", async (text, hint) => {
    const { code, err } = await run("catalog", "--config", file("c.yaml", text));
    expect(code).toBe(2);
    expect(err).toMatch(hint);
  });

  it("reads the registries and rules of a configuration, and goes on where one has trouble", async () => {
    file("web.yaml", shortForm);
    file("db.yaml", serviceEntry);
    const config = file(
      "signalbox.yaml",
      `
registries:
  - { provider: static, name: web, paths: [web.yaml] }
  - { provider: static, name: gone, paths: [gone.yaml] }
rules:
  - files: db.yaml
`,
    );
    const { code, err, out } = await run("catalog", "--config", config, "-o", "json");
    const { services } = JSON.parse(out) as { services: { hostname: string; registries: string[] }[] };
    expect(services.map(({ hostname, registries }) => [hostname, registries])).toEqual([
      ["db.example.com", ["static/rules:db.yaml"]],
      ["web.shop.svc.cluster.local", ["static/web"]],
    ]);
    expect(code).toBe(1);
    expect(err).toContain("static/gone: UNREACHABLE");
  });
});

describe("signalbox render", () => {
  const proxy = JSON.stringify({
    type: "sidecar",
    id: "app.shop",
    ip: ["1.1.1.1"],
    namespace: "shop",
    labels: {},
    dnsDomain: "shop.svc.cluster.local",
    configNamespaceMeta: "shop",
  });

  interface Rendered {
    readonly listeners: { name: string }[];
    readonly routes: { name: string }[];
    readonly clusters: { name: string }[];
    readonly endpoints: { clusterName: string }[];
  }

  it("prints what a sidecar would get, in proto3 JSON", async () => {
    const empty = file("empty.yaml", "");
    const { code, err, out } = await run(
      ...["render", "--rules", file("rules.yaml", shortForm), "--kubernetes", empty, "--mesh", empty],
      ...["--proxy", file("proxy.json", proxy), "-o", "json"],
    );
    expect(err).toBe("");
    expect(code).toBe(0);
    const { clusters, endpoints, listeners, routes } = JSON.parse(out) as Rendered;
    expect(clusters.map(({ name }) => name)).toContain("outbound|8000||web.shop.svc.cluster.local");
    expect(endpoints.map(({ clusterName }) => clusterName)).toContain("outbound|8000||web.shop.svc.cluster.local");
    expect(listeners.map(({ name }) => name)).toContain("virtualOutbound");
    expect(routes.map(({ name }) => name)).toContain("8000");
  });

  it("serves what a file of Kubernetes objects says, and names what is wrong with it", async () => {
    const objects = [
      {
        kind: "Service",
        metadata: { name: "db" },
        spec: { clusterIP: "10.96.0.7", selector: { app: "db" }, ports: [{ name: "tcp", port: 5432 }] },
      },
      { kind: "Pod", metadata: { name: "db-0", labels: { app: "db" } }, spec: {}, status: { podIP: "10.1.0.9" } },
    ];
    const good = file(
      "good.yaml",
      objects.map((object) => JSON.stringify({ apiVersion: "v1", ...object })).join("\n---\n"),
    );
    const { code, out } = await run("render", "--kubernetes", good, "--proxy", file("proxy.json", proxy), "-o", "json");
    expect(code).toBe(0);
    const { endpoints } = JSON.parse(out) as Rendered;
    const db = endpoints.find(({ clusterName }) => clusterName === "outbound|5432||db.default.svc.cluster.local");
    expect(JSON.stringify(db)).toContain("10.1.0.9");
    const bad = file("bad.yaml", "kind: Service\nmetadata: {name: web}\nspec: {ports: none}\n");
    const refused = await run("render", "--kubernetes", bad, "--proxy", file("proxy.json", proxy));
    expect(refused.code).toBe(1);
    expect(refused.err).toContain("bad.yaml:1:1: spec.ports is not a list");
  });

  it("prints YAML unless asked for JSON, and works with no rules at all", async () => {
    const { code, out } = await run("render", "--proxy", file("proxy.json", proxy));
    expect(code).toBe(0);
    expect(out).toMatch(/^listeners:\n {2}- name: virtualInbound/);
  });

  it("uses the mesh settings", async () => {
    const mesh = file("mesh.yaml", "proxyHttpPort: 15080\n");
    const { out } = await run(
      ...[
        "render",
        "--rules",
        file("rules.yaml", shortForm),
        "--mesh",
        mesh,
        "--proxy",
        file("proxy.json", proxy),
        "-o",
        "json",
      ],
    );
    expect(JSON.stringify((JSON.parse(out) as Rendered).listeners)).toContain("15080");
  });

  it("names fields of Istio's MeshConfig that have no effect, and goes on", async () => {
    const mesh = file(
      "mesh.yaml",
      "inboundTrafficPolicy: {}\noutboundTrafficPolicy: {mode: REGISTRY_ONLY, other: 1}\n",
    );
    const { code, err } = await run("render", "--mesh", mesh, "--proxy", file("proxy.json", proxy));
    expect(code).toBe(0);
    expect(
      err
        .split("\n")
        .sort()
        .filter((line) => line !== ""),
    ).toEqual([
      "signalbox: mesh.yaml: inboundTrafficPolicy has no effect in this version",
      "signalbox: mesh.yaml: outboundTrafficPolicy.other has no effect in this version",
    ]);
  });

  it.each([
    {
      name: "a bad mesh",
      flags: ["--mesh", "m.yaml"],
      files: { "m.yaml": "proxyHttpPort: x\n" },
      says: "m.yaml: proxyHttpPort: must be",
    },
    { name: "a mesh that is no YAML", flags: ["--mesh", "m.yaml"], files: { "m.yaml": "a: [\n" }, says: "m.yaml:" },
    {
      name: "a proxy without an id",
      flags: [],
      files: { "proxy.json": '{"type": "sidecar"}' },
      says: "proxy.json: id: is missing",
    },
    {
      name: "a proxy of an unknown type",
      flags: [],
      files: { "proxy.json": '{"type": "waypoint", "id": "a"}' },
      says: "proxy.json: type: must be one of",
    },
  ])("refuses $name", async ({ files, flags, says }) => {
    file("proxy.json", proxy);
    for (const [name, text] of Object.entries(files)) file(name, text);
    const paths = flags.map((flag) => (flag.startsWith("--") ? flag : join(dir, flag)));
    const { code, err } = await run("render", ...paths, "--proxy", join(dir, "proxy.json"));
    expect(err).toContain(says);
    expect(code).toBe(2);
  });
});
