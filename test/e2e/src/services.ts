import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Daemon } from "@signalbox/test-servers";

/** One service in the short form, with the addresses of its endpoints. */
export interface ServiceSpec {
  readonly name: string;
  readonly port: number;
  readonly protocol?: string;
  readonly endpoints: readonly string[];
}

/** The text of a services file; all services are in the namespace `shop`. */
export function servicesFile(services: readonly ServiceSpec[]): string {
  return JSON.stringify({
    services: services.map(({ name, port, protocol = "HTTP", endpoints }) => ({
      name,
      namespace: "shop",
      ports: [{ name: "main", number: port, protocol }],
      endpoints,
    })),
  });
}

/** Full hostname of a service of `servicesFile`. */
export function hostname(name: string): string {
  return `${name}.shop.svc.cluster.local`;
}

/** Replaces the daemon's services file by rename, as a careful writer does. */
export async function replaceServices(daemon: Daemon, services: readonly ServiceSpec[]): Promise<void> {
  const path = join(daemon.dir, "services.json");
  await writeFile(`${path}.new`, servicesFile(services));
  await rename(`${path}.new`, path);
}

/** The registries of a daemon that reads one services file. */
export const fileRegistry = [{ provider: "static", name: "files", paths: ["services.json"] }];
