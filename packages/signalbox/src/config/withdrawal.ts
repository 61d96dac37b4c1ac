import { BlockList, isIPv4 } from "node:net";
import type { KubernetesConfig } from "@signalbox/adapter-kubernetes";
import type { RegistryId } from "@signalbox/model";
import type { ConfigFault } from "@signalbox/registry";
import type { SignalboxConfig } from "./schema.ts";

type Config = Pick<SignalboxConfig, "drift">;

/**
 * What makes it dangerous to withdraw ghosts, as far as the configuration alone tells: a registration is taken from its registry for good, so
 * there must be one who does it, and each address must be one cluster's.
 */
export function withdrawalFaults({
  api,
  bus,
  drift,
}: Config & Pick<SignalboxConfig, "api" | "bus">): readonly ConfigFault[] {
  if (drift?.withdraw === undefined) return [];
  const alone = bus.type !== "in-process" || api.replicas === 1;
  const path = ["drift", "withdraw"];
  const message = `needs a bus where api.replicas is more than 1: each of the ${api.replicas} processes would withdraw for itself`;
  return [...(alone ? [] : [{ path, message }]), ...overlaps(drift.clusters)];
}

/** A registry of the configuration, as far as this check reads it. */
interface ReadRegistry {
  readonly id: RegistryId;
  readonly module: { readonly provider: string };
  /** As the registry's own module made it. */
  readonly config: unknown;
}

/**
 * Why not all pods of a registry are seen, where it is one whose workloads are the truth about what may be withdrawn. `at` is its place in the
 * configuration. About registries that a program brings nothing can be said.
 */
export function blindClusterFaults(
  { drift }: Partial<Config>,
  { config, id, module }: ReadRegistry,
  at: readonly (string | number)[],
  isBuiltin: boolean,
): readonly ConfigFault[] {
  if (drift?.withdraw === undefined || !isBuiltin) return [];
  if (!drift.clusters.some(({ registry }) => registry === id)) return [];
  if (module.provider !== "kubernetes")
    return [
      {
        path: [...at, "provider"],
        message: "knows no pods, and drift.withdraw would take all registrations for ghosts",
      },
    ];
  const { manifests, namespaces, pods } = config as KubernetesConfig;
  const hiding: readonly (readonly [readonly string[], boolean])[] = [
    [["pods"], !pods],
    [["namespaces", "include"], namespaces.include.length > 0],
    [["namespaces", "exclude"], namespaces.exclude.length > 0],
    [["namespaces", "selector"], namespaces.selector !== undefined],
    [["manifests"], manifests !== undefined],
  ];
  return hiding.flatMap(([field, hides]) =>
    hides
      ? [
          {
            path: [...at, ...field],
            message: `hides pods of ${id}, and drift.withdraw would take their registrations for ghosts`,
          },
        ]
      : [],
  );
}

function overlaps(clusters: NonNullable<Config["drift"]>["clusters"]): readonly ConfigFault[] {
  const faults: ConfigFault[] = [];
  const earlier: { readonly registry: string; readonly cidr: string }[] = [];
  clusters.forEach(({ podCidrs, registry }, index) => {
    podCidrs.forEach((cidr, place) => {
      const other = earlier.find((one) => one.registry !== registry && overlap(one.cidr, cidr));
      if (other !== undefined)
        faults.push({
          path: ["drift", "clusters", index, "podCidrs", place],
          message: `overlaps ${other.cidr} of ${other.registry}: with drift.withdraw an address must be of one cluster`,
        });
    });
    earlier.push(...podCidrs.map((cidr) => ({ registry, cidr })));
  });
  return faults;
}

/** Of two ranges that meet, one has the first address of the other. */
function overlap(one: string, other: string): boolean {
  return has(one, other) || has(other, one);
}

function has(range: string, other: string): boolean {
  const [network = "", length = ""] = range.split("/");
  const [ip = ""] = other.split("/");
  const family = isIPv4(network) ? "ipv4" : "ipv6";
  if (isIPv4(ip) !== isIPv4(network)) return false;
  const list = new BlockList();
  list.addSubnet(network, Number(length), family);
  return list.check(ip, family);
}
