import type { HealthStatus } from "@signalbox/model";
import { isIpAddress } from "@signalbox/model";
import type { KubeEndpoint, KubePod, KubeService, KubeSlice } from "./objects.ts";
import { MalformedObjectError, rawList, rawMap, rawName, rawPort, rawText } from "./raw.ts";

/**
 * The slices that the mirroring controller would make of an Endpoints object, one for each subset and address family.
 * Throws a MalformedObjectError.
 */
export function slicesOfEndpoints(raw: unknown): readonly KubeSlice[] {
  const object = rawMap(raw, "object");
  const metadata = rawMap(object["metadata"], "metadata");
  const namespace = rawName(metadata["namespace"], "metadata.namespace");
  const name = rawName(metadata["name"], "metadata.name");
  const version = rawText(metadata["resourceVersion"], "metadata.resourceVersion");
  return rawList(object["subsets"], "subsets").flatMap((value, index): KubeSlice[] => {
    const field = `subsets[${index}]`;
    const subset = rawMap(value, field);
    const ports = rawList(subset["ports"], `${field}.ports`).map((item) => {
      const port = rawMap(item, `${field}.ports`);
      return {
        name: rawText(port["name"], `${field}.ports.name`),
        number: rawPort(port["port"], `${field}.ports.port`),
      };
    });
    const endpoints = [
      ...addressesOf(subset["addresses"], `${field}.addresses`, "HEALTHY"),
      ...addressesOf(subset["notReadyAddresses"], `${field}.notReadyAddresses`, "UNHEALTHY"),
    ];
    return byFamily(endpoints).map(({ ipv6, endpoints: own }) => {
      const part = `${name}#${index}${ipv6 ? "-ipv6" : ""}`;
      return { kind: "Endpoints", namespace, name: part, version, service: name, ipv6, ports, endpoints: own };
    });
  });
}

function addressesOf(list: unknown, field: string, health: HealthStatus): KubeEndpoint[] {
  return rawList(list, field).map((value) => {
    const address = rawMap(value, field);
    const ip = rawText(address["ip"], `${field}.ip`);
    if (!isIpAddress(ip)) throw new MalformedObjectError(`${field}.ip`, "is not an IP address");
    const target = rawMap(address["targetRef"], `${field}.targetRef`);
    return {
      addresses: [ip],
      health,
      pod: target["kind"] === "Pod" ? rawText(target["name"], `${field}.targetRef.name`) : "",
      node: rawText(address["nodeName"], `${field}.nodeName`),
      zone: "",
    };
  });
}

function byFamily(endpoints: readonly KubeEndpoint[]) {
  return [false, true].flatMap((ipv6) => {
    const own = endpoints.filter(({ addresses: [first] }) => first?.includes(":") === ipv6);
    return own.length === 0 ? [] : [{ ipv6, endpoints: own }];
  });
}

type SliceHead = Omit<KubeSlice, "endpoints">;

/**
 * The slices that the EndpointSlice controller would make for a service with a selector: one for each set of port numbers, as
 * named target ports may differ from pod to pod, and address family.
 */
export function slicesOfPods(service: KubeService, pods: Iterable<KubePod>): readonly KubeSlice[] {
  const { selector, namespace, name } = service;
  if (selector === undefined || service.externalName !== undefined) return [];
  const slices = new Map<string, { readonly slice: SliceHead; readonly endpoints: KubeEndpoint[] }>();
  for (const pod of pods) {
    if (pod.namespace !== namespace || pod.phase === "FAILED" || !selects(selector, pod)) continue;
    const ports = service.ports.flatMap((port) => {
      const number = typeof port.target === "number" ? port.target : pod.namedPorts.get(port.target);
      return number === undefined ? [] : [{ name: port.name, number }];
    });
    for (const ipv6 of [false, true]) {
      const addresses = pod.addresses.filter((address) => address.includes(":") === ipv6).slice(0, 1);
      if (addresses.length === 0) continue;
      const key = JSON.stringify([ipv6, ports]);
      const slice: SliceHead = {
        kind: "Service",
        namespace,
        name,
        version: service.version,
        service: name,
        ipv6,
        ports,
      };
      const entry = slices.get(key) ?? { slice, endpoints: [] };
      entry.endpoints.push({ addresses, health: healthOf(service, pod), pod: pod.name, node: pod.node, zone: "" });
      slices.set(key, entry);
    }
  }
  return [...slices.values()].map(({ slice, endpoints }) => ({ ...slice, endpoints }));
}

function selects(selector: Readonly<Record<string, string>>, pod: KubePod): boolean {
  return Object.entries(selector).every(([key, value]) => Object.hasOwn(pod.labels, key) && pod.labels[key] === value);
}

function healthOf({ publishNotReady }: KubeService, { phase }: KubePod): HealthStatus {
  if (phase === "READY" || publishNotReady) return "HEALTHY";
  return phase === "TERMINATING" ? "TERMINATING" : "UNHEALTHY";
}
