import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { metric } from "./metric.ts";
import {
  adsBootstrap,
  freePorts,
  startDaemon,
  startEnvoy,
  waitFor,
  type Daemon,
  type RunningEnvoy,
} from "@signalbox/test-servers";
import { expect } from "vitest";
import { call } from "./call.ts";
import { fileRegistry, hostname } from "./services.ts";

/** An object of Istio in the namespace `shop`. */
export function object(kind: string, name: string, spec: object): object {
  return { apiVersion: "networking.istio.io/v1", kind, metadata: { name, namespace: "shop" }, spec };
}

/** A VirtualService of calls to one host in the mesh. */
export function virtualService(host: string, spec: object): object {
  return object("VirtualService", host, { hosts: [host], ...spec });
}

/** A DestinationRule with one subset for each version. */
export function destinationRule(host: string, versions: readonly string[], trafficPolicy?: object): object {
  const subsets = versions.map((version) => ({ name: version, labels: { version } }));
  return object("DestinationRule", host, { host, subsets, ...(trafficPolicy && { trafficPolicy }) });
}

/** A destination of an HTTP route. */
export function to(host: string, subset?: string, weight?: number): object {
  return { destination: { host, ...(subset && { subset }) }, ...(weight !== undefined && { weight }) };
}

/** A service in the short form. */
export interface ShopService {
  readonly name: string;
  readonly protocol?: string;
  /** The port's number; that of all HTTP services by default. */
  readonly port?: number;
  readonly endpoints: readonly { readonly port: number; readonly version: string; readonly locality?: string }[];
}

/** Options of `startShop`. */
export interface ShopOptions {
  readonly services: readonly ShopService[];
  /** Registries beside that of the services. */
  readonly registries?: readonly object[];
  /** Further keys of the daemon's configuration. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Labels of the caller's sidecar. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Where the sidecar runs. */
  readonly locality?: { readonly region: string; readonly zone: string };
  /** How proxies ask; delta by default. */
  readonly mode?: "sotw" | "delta";
  /** With it there is a router beside the sidecar; Gateways select it by `istio: edge`. */
  readonly router?: boolean;
}

/** A daemon that reads services and rules from files, the caller's sidecar, and maybe a router at the edge. */
export interface Shop {
  readonly daemon: Daemon;
  readonly sidecar: RunningEnvoy;
  readonly router: RunningEnvoy | undefined;
  /** Where the sidecar takes calls of all HTTP services. */
  readonly port: number;
  /** Makes these the rules, and waits until every proxy has them. */
  apply(...objects: readonly object[]): Promise<void>;
  /** Replaces the file of rules by this text. */
  write(text: string): Promise<void>;
  /** Asserts that no proxy refused anything, and that the daemon knows of no refusal either. */
  expectNoRefusal(): Promise<void>;
  stop(): Promise<void>;
}

const edge = "shop/generation";

/** Starts a shop without rules. */
export async function startShop(options: ShopOptions): Promise<Shop> {
  const { config, labels = {}, locality, mode = "delta", registries = [], router, services } = options;
  const stops: (() => Promise<unknown>)[] = [];
  const stop = async () => {
    for (const end of stops.reverse()) await end();
  };
  try {
    const [port = 0, edgePort = 0] = await freePorts(2);
    const all = [...services, { name: "generation", endpoints: [] }];
    const daemon = await startDaemon({
      config: {
        registries: [...fileRegistry, ...registries],
        rules: [{ files: "rules.yaml" }],
        ...config,
      },
      files: { "services.json": servicesText(all, port), "rules.yaml": textOf(generation(0, edgePort)) },
    });
    stops.push(() => daemon.stop());
    const start = async (id: string, metadata: object) => {
      const node = { id, metadata: { NAMESPACE: "shop", ...metadata }, ...(locality && { locality }) };
      const envoy = await startEnvoy({ bootstrap: adsBootstrap({ node, xdsPort: daemon.xdsPort, mode }) });
      stops.push(() => envoy.stop());
      return envoy;
    };
    const domain = "shop.svc.cluster.local";
    const sidecar = await start(`sidecar~127.0.0.1~caller.shop~${domain}`, {
      INTERCEPTION_MODE: "NONE",
      LABELS: labels,
    });
    const routing = router === true ? await start(`router~10.0.0.9~edge.shop~${domain}`, edgeLabels) : undefined;
    const proxies = routing === undefined ? [sidecar] : [sidecar, routing];
    const write = async (text: string) => {
      const path = join(daemon.dir, "rules.yaml");
      await writeFile(`${path}.new`, text);
      await rename(`${path}.new`, path);
    };
    let last = 0;
    return {
      daemon,
      sidecar,
      router: routing,
      port,
      write,
      async apply(...objects) {
        const current = ++last;
        await write(textOf(generation(current, edgePort), ...objects));
        const reached = async () => {
          for (const at of routing === undefined ? [port] : [port, edgePort])
            if ((await call({ port: at, host: hostname("generation") })).text !== `generation ${current}`) return false;
          for (const proxy of proxies) if (!(await isWarm(proxy))) return false;
          return true;
        };
        await waitFor(reached, { what: `generation ${current} of the rules in every proxy` });
      },
      async expectNoRefusal() {
        for (const proxy of proxies) {
          expect(await proxy.nacks()).toBe(0);
          expect(proxy.log()).not.toMatch(/rejected|Unable to (add|update)/);
        }
        expect(await metric(daemon, "pilot_total_xds_rejects")).toBe(0);
        for (const type of ["cds", "eds", "lds", "rds"])
          expect(await metric(daemon, `pilot_xds_${type}_reject`)).toBe(0);
        expect(daemon.log()).not.toMatch(/nack|translation-fault/i);
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

const edgeLabels = { LABELS: { istio: "edge" } };

/** Tells which rules a proxy has: they are in the same route table as all others. */
function generation(number: number, edgePort: number): object {
  return [
    object("Gateway", "generation", {
      selector: edgeLabels.LABELS,
      servers: [{ port: { number: edgePort, name: "http", protocol: "HTTP" }, bind: "127.0.0.1", hosts: ["*"] }],
    }),
    virtualService("generation", {
      gateways: ["mesh", edge],
      http: [{ directResponse: { status: 200, body: { string: `generation ${number}` } } }],
    }),
  ];
}

/** The text of a file of objects. */
export function textOf(...objects: readonly object[]): string {
  return objects
    .flat()
    .map((one) => JSON.stringify(one))
    .join("\n---\n");
}

function servicesText(services: readonly ShopService[], httpPort: number): string {
  return JSON.stringify({
    services: services.map(({ endpoints, name, port = httpPort, protocol = "HTTP" }) => ({
      name,
      namespace: "shop",
      ports: [{ name: "main", number: port, protocol }],
      endpoints: endpoints.map((endpoint) => ({
        address: "127.0.0.1",
        port: endpoint.port,
        labels: { app: name, version: endpoint.version },
        ...(endpoint.locality !== undefined && { locality: endpoint.locality }),
      })),
    })),
  });
}

async function isWarm(envoy: RunningEnvoy): Promise<boolean> {
  const warming = await envoy.stats("^(cluster_manager.warming_clusters|listener_manager.total_listeners_warming)$");
  return [...warming.values()].every((count) => count === 0);
}
