import { rename, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { adsBootstrap, runCommand, startDaemon, startEnvoy, startHttpBackend, waitFor } from "@signalbox/test-servers";
import { call, type Reply } from "./call.ts";
import { addresses } from "./captured-addresses.ts";
import { destinationRule, object, textOf, to, virtualService } from "./rules.ts";
import { fileRegistry, hostname } from "./services.ts";

// Runs in a private network in which iptables leads all TCP connections to a sidecar, as in a pod of Istio. Prints what calls came to.

/** What the scenario prints, as JSON: what was called, and what came back. */
export interface CapturedResult {
  readonly seen: Readonly<Record<string, string>>;
  readonly nacks: number;
}

const { app, outside, tcp, v1, v2, vips } = addresses;
/** Connections that come from here are the proxy's own: those to its application and all others. */
const proxySources = { inbound: "127.0.0.6", outbound: "127.0.0.7" } as const;
const [outboundPort, inboundPort] = [15001, 15006];
const ports = { http: 8080, unknown: 9090, tcp: 3306, outside: 8090 } as const;

const seen: Record<string, string> = {};
const cleanUp: (() => Promise<unknown>)[] = [];
const keep = <T extends { stop: () => Promise<unknown> }>(server: T): T => {
  cleanUp.unshift(() => server.stop());
  return server;
};

/** The rules of istio-iptables that matter here. In place of the proxy's user, its source addresses tell its connections apart. */
async function capture(): Promise<void> {
  await runCommand("ip", ["route", "add", "default", "dev", "lo"]);
  const rules = [
    ...Object.values(proxySources).map((source) => ["-s", source, "-j", "RETURN"]),
    ["-d", "127.0.0.0/8", "-j", "RETURN"],
    ["-d", app, "-j", "REDIRECT", "--to-ports", String(inboundPort)],
    ["-j", "REDIRECT", "--to-ports", String(outboundPort)],
  ];
  for (const rule of rules) await runCommand("iptables", ["-t", "nat", "-A", "OUTPUT", "-p", "tcp", ...rule]);
}

const service = (name: string, address: string, port: object, endpoints: readonly unknown[]) => ({
  name,
  namespace: "shop",
  addresses: [address],
  ports: [port],
  endpoints,
});
const http = { name: "http", number: 80 };
const versioned = (address: string, version: string) => ({ address, port: ports.http, labels: { version } });
const services = {
  services: [
    service("reviews", vips.reviews, http, [versioned(v1, "v1"), versioned(v2, "v2")]),
    service("own", vips.own, http, [{ address: app, port: ports.http }]),
    service("database", vips.database, { name: "tcp", number: ports.tcp, protocol: "TCP" }, [`${tcp}:${ports.tcp}`]),
  ],
};
const beta = { match: [{ headers: { "x-beta": { exact: "yes" } } }], route: [to("reviews", "v2")] };
const reviews = [
  destinationRule("reviews", ["v1", "v2"]),
  virtualService("reviews", { http: [beta, { route: [to("reviews", "v1")] }] }),
];
const cut = object("Sidecar", "default", {
  outboundTrafficPolicy: { mode: "REGISTRY_ONLY" },
  egress: [{ hosts: ["./reviews.shop.svc.cluster.local"] }],
});

/** The first thing that a server says on a new connection, or how the connection ended. */
function greeting(address: string, port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ host: address, port, timeout: 20_000 });
    const end = (what: string) => {
      socket.destroy();
      resolve(what);
    };
    socket.once("data", (bytes) => end(bytes.toString()));
    socket.once("error", () => end("refused"));
    socket.once("close", () => end("closed"));
    socket.once("timeout", () => end("silence"));
  });
}

/** A server that speaks first, as databases do. */
async function startGreeter(host: string, port: number): Promise<void> {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.end("hello from the database");
  });
  await new Promise<void>((resolve) => server.listen({ host, port }, resolve));
  cleanUp.unshift(() => new Promise((resolve) => server.close(resolve)));
}

const told = ({ status, text }: Reply) => `${status} ${text}`.trim();

async function scenario(): Promise<CapturedResult> {
  const backend = async (name: string, host: string, port: number) =>
    keep(await startHttpBackend({ name, host, port }));
  await backend("reviews v1", v1, ports.http);
  await backend("reviews v2", v2, ports.http);
  await backend("outside", outside, ports.outside);
  const own = await backend("own", app, ports.http);
  await backend("own, unknown port", app, ports.unknown);
  await startGreeter(tcp, ports.tcp);
  await capture();
  const daemon = keep(
    await startDaemon({
      config: { registries: fileRegistry, rules: [{ files: "rules.yaml" }] },
      files: { "services.json": JSON.stringify(services), "rules.yaml": textOf(...reviews) },
    }),
  );
  const node = { id: `sidecar~${app}~own-1.shop~shop.svc.cluster.local`, metadata: { NAMESPACE: "shop" } };
  const source = { address: proxySources.outbound, port_value: 0 };
  const envoy = keep(
    await startEnvoy({
      bootstrap: {
        ...adsBootstrap({ node, xdsPort: daemon.xdsPort, mode: "delta" }),
        cluster_manager: { upstream_bind_config: { source_address: source } },
      },
    }),
  );
  const toReviews = { address: vips.reviews, port: 80, host: hostname("reviews") };
  const toOutside = { address: outside, port: ports.outside, host: "outside" };

  seen["a service by its address"] = told(await call(toReviews));
  seen["its short name, with a header"] = told(
    await call({ ...toReviews, host: "reviews", headers: { "x-beta": "yes" } }),
  );
  seen["a server that speaks first"] = await greeting(vips.database, ports.tcp);
  seen["an address that nobody knows"] = told(await call(toOutside));
  seen["the workload itself, from outside"] = told(await call({ address: app, port: ports.http, host: "own" }));
  seen["the workload's scheme, as its application sees it"] = String(
    own.lastRequest()?.headers["x-forwarded-proto"] ?? "",
  );
  seen["a port of the workload that no service has"] = told(
    await call({ address: app, port: ports.unknown, host: "own" }),
  );
  seen["itself, by the address of its service"] = told(await call({ address: vips.own, port: 80, host: "own" }));

  const path = join(daemon.dir, "rules.yaml");
  await writeFile(`${path}.new`, textOf(...reviews, cut));
  await rename(`${path}.new`, path);
  const outsideIsShut = async () => (await call(toOutside)).status === 0;
  await waitFor(outsideIsShut, { what: "addresses that nobody knows to be shut", deadlineMs: 30_000 });
  seen["behind a Sidecar: a service it names"] = told(await call(toReviews));
  seen["behind a Sidecar: a service it does not name"] = await greeting(vips.database, ports.tcp);
  seen["behind a Sidecar: its own application"] = told(await call({ address: app, port: ports.http, host: "own" }));
  return { seen, nacks: await envoy.nacks() };
}

try {
  process.stdout.write(JSON.stringify(await scenario()));
} catch (error) {
  throw new Error(`after: ${JSON.stringify(seen)}`, { cause: error });
} finally {
  for (const stop of cleanUp) await stop();
}
