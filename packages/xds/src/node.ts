import { isIP } from "node:net";
import { canonicalIp } from "@signalbox/model";
import type { Labels, Locality } from "@signalbox/model";
import { takesVirtualHosts } from "./vhds/envoy-version.ts";

// Node.js compiles its pattern of IPv6 at the first use and V8 once more at the second, which takes 5 ms: not while the first clients wait.
isIP("::1");
isIP("::1");

/** A client as the translator sees it: everything that decides what it gets, and nothing else. */
export interface ProxyNode {
  /** `sidecar` and `router` by Istio's node id, `grpc` by metadata `GENERATOR: grpc`, any other Envoy is `plain`. */
  readonly type: "sidecar" | "router" | "plain" | "grpc";
  readonly id: string;
  /** The node's own addresses in their one spelling: Istio's id first, then `INSTANCE_IPS`. They find its service instances. */
  readonly addresses: readonly string[];
  readonly namespace: string;
  /** DNS domain of the node, for example `default.svc.cluster.local`; names are shortened against it. */
  readonly dnsDomain: string;
  readonly labels: Labels;
  /** Where the node runs: Envoy's own `locality`. */
  readonly locality: Locality;
  readonly cluster: string;
  readonly network: string;
  readonly istioVersion: string;
  /** Traffic is captured by the kernel, or (`NONE`) listeners bind their own ports. */
  readonly interception: "CAPTURED" | "NONE";
  /** Where listeners bind that are not captured. */
  readonly listenAddress: string;
  /** False for a node that cannot bind ports below 1024 (`UNPRIVILEGED_POD: "true"`). */
  readonly privileged: boolean;
  /** The texts in the node's metadata, for rules that choose nodes by them. */
  readonly metadata: Labels;
  /** False for a node that asked for clusters and endpoints only (`SIGNALBOX_LISTENERS: "none"`). */
  readonly listeners: boolean;
  /** The node asked for virtual hosts one by one (`SIGNALBOX_VHDS: "true"`), and is an Envoy that takes them on an aggregated stream. */
  readonly vhds: boolean;
}

/** The parts of Envoy's `Node` that are read; a decoded message and its JSON form both fit. */
export interface NodeLike {
  readonly id?: unknown;
  readonly metadata?: unknown;
  readonly locality?: unknown;
  readonly userAgentName?: unknown;
  /** How a decoded message has the version; its JSON form has the members below. */
  readonly userAgentVersionType?: unknown;
  readonly userAgentVersion?: unknown;
  readonly userAgentBuildVersion?: unknown;
}

type Metadata = Readonly<Record<string, unknown>>;

/** Longest text taken from a node; longer values are cut, so that a client cannot make keys of any size. */
const maximumText = 512;
const maximumAddresses = 64;
const maximumMetadata = 128;

/**
 * Reads a node. Accepts any value: what is missing or of the wrong kind gets its default. Istio's ids are
 * `sidecar~<ip>~<pod>.<namespace>~<domain>` and `router~…` (https://istio.io, Proxy.ServiceNode); metadata names are Istio's.
 */
export function parseNode(node: unknown): ProxyNode {
  const fields = recordOf(node);
  const id = text(fields["id"]);
  const metadata = recordOf(fields["metadata"]);
  const parts = id.split("~");
  const istio = parts.length === 4 && (parts[0] === "sidecar" || parts[0] === "router") ? parts : undefined;
  const type = nodeType(istio?.[0], metadata);
  const dnsDomain = text(istio?.[3] ?? metadata["DNS_DOMAIN"]).toLowerCase();
  const interception = text(metadata["INTERCEPTION_MODE"]).toUpperCase();
  const listenAddress = text(metadata["LISTENER_ADDRESS"]);
  return {
    type,
    id,
    addresses: addressesOf(istio?.[1], metadata),
    namespace: text(metadata["NAMESPACE"]) || namespaceOf(istio?.[2] ?? "", dnsDomain),
    dnsDomain,
    labels: labelsOf(metadata["LABELS"]),
    locality: localityOf(recordOf(fields["locality"])),
    cluster: text(metadata["CLUSTER_ID"]),
    network: text(metadata["NETWORK"]),
    istioVersion: text(metadata["ISTIO_VERSION"]),
    interception: type === "sidecar" && interception !== "NONE" ? "CAPTURED" : "NONE",
    listenAddress: isIP(listenAddress) === 0 ? "127.0.0.1" : listenAddress,
    privileged: text(metadata["UNPRIVILEGED_POD"]).toLowerCase() !== "true",
    metadata: labelsOf(Object.fromEntries(Object.entries(metadata).slice(0, maximumMetadata))),
    listeners: text(metadata["SIGNALBOX_LISTENERS"]).toLowerCase() !== "none",
    vhds: text(metadata["SIGNALBOX_VHDS"]).toLowerCase() === "true" && takesVirtualHosts(fields),
  };
}

function nodeType(prefix: string | undefined, metadata: Metadata): ProxyNode["type"] {
  if (text(metadata["GENERATOR"]).toLowerCase() === "grpc") return "grpc";
  return prefix === "sidecar" || prefix === "router" ? prefix : "plain";
}

function addressesOf(first: string | undefined, metadata: Metadata): readonly string[] {
  const more = text(metadata["INSTANCE_IPS"]).split(",");
  const all = [first ?? "", ...more].map((address) => address.trim()).filter((address) => isIP(address) !== 0);
  return [...new Set(all.map(canonicalIp))].slice(0, maximumAddresses);
}

/** `web-1.shop` with domain `shop.svc.cluster.local` runs in `shop`; the domain decides when there is one. */
function namespaceOf(podAndNamespace: string, dnsDomain: string): string {
  const domain = dnsDomain.split(".");
  if (domain.length >= 2 && domain[1] === "svc" && domain[0] !== undefined) return domain[0];
  const dot = podAndNamespace.lastIndexOf(".");
  return dot < 0 ? "" : podAndNamespace.slice(dot + 1);
}

function labelsOf(value: unknown): Labels {
  const labels = Object.entries(recordOf(value)).flatMap(([key, label]) =>
    typeof label === "string" ? [[key, text(label)] as const] : [],
  );
  return Object.fromEntries(labels);
}

function localityOf(locality: Metadata): Locality {
  return {
    region: text(locality["region"]),
    zone: text(locality["zone"]),
    subzone: text(locality["subZone"] ?? locality["sub_zone"]),
  };
}

function recordOf(value: unknown): Metadata {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Metadata) : {};
}

function text(value: unknown): string {
  return typeof value === "string" ? value.slice(0, maximumText) : "";
}
