import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { Daemon } from "@signalbox/test-servers";
import { orders } from "./cast.ts";

/** How the requests to `orders` are shared between its two registries, in per cent. */
export interface Shares {
  readonly eureka: number;
  readonly kubernetes: number;
}

/** All requests go to the pods that Eureka knows. */
export const onlyEureka: Shares = { eureka: 100, kubernetes: 0 };

/** The daemon's configuration, without its ports. */
export function configuration(parts: {
  readonly eurekaUrl: string;
  readonly kubeconfig: string;
  readonly proxyHttpPort: number;
}): Readonly<Record<string, unknown>> {
  return {
    registries: [
      {
        provider: "eureka",
        name: "main",
        urls: [parts.eurekaUrl],
        // Thirty times as fast as by default, as the leases are.
        pollSeconds: 0.2,
        losses: { holdSeconds: 10 },
        servicePort: orders.port,
        apps: { include: [orders.name] },
      },
      {
        provider: "kubernetes",
        name: "main",
        kubeconfig: parts.kubeconfig,
        namespaces: { include: ["prod"] },
        nodes: false,
        // No watch is silent for longer than 4 s, so that 6 s without a word are a server that cannot be read.
        watchSeconds: 2,
        staleAfter: "6s",
      },
    ],
    identity: [{ registries: ["eureka/*"], hostname: "{{name}}.prod.svc.cluster.local", namespace: "prod" }],
    drift: {
      clusters: [{ registry: "kubernetes/main", podCidrs: ["10.40.0.0/16"] }],
      check: ["eureka/*"],
      ghostAfter: "2s",
      skew: "1s",
    },
    guards: { registries: ["eureka/*"], mode: "hold" },
    journal: { dir: "journal" },
    ...rules(onlyEureka),
    // A retry would hide a lost endpoint.
    mesh: { proxyHttpPort: parts.proxyHttpPort, defaultHttpRetryPolicy: { attempts: 0 } },
  };
}

/** Writes other shares into the configuration of a daemon that runs, and has it read that. */
export async function share(daemon: Daemon, shares: Shares): Promise<void> {
  const path = join(daemon.dir, "signalbox.yaml");
  const before = JSON.parse(await readFile(path, "utf8")) as object;
  await writeFile(`${path}.new`, JSON.stringify({ ...before, ...rules(shares) }, null, 2));
  await rename(`${path}.new`, path);
  daemon.signal("SIGHUP");
}

function rules({ eureka, kubernetes }: Shares): object {
  const merge = { split: { "eureka/main": eureka, "kubernetes/main": kubernetes } };
  return { services: [{ match: orders.host, merge, drift: "exclude" }] };
}
