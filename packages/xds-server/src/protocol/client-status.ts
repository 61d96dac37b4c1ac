import type { Node } from "@signalbox/envoy-api/envoy/config/core/v3/base";
import type { ClientStatus } from "../events.ts";
import type { StreamCall } from "../transport.ts";
import type { Subscription } from "./subscription.ts";

/** What is kept of a client's node. */
export interface NodeFacts {
  readonly id: string;
  readonly cluster: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly userAgent: string;
}

/** What is kept of a node. */
export function nodeFacts(node: Node): NodeFacts {
  return { id: node.id, cluster: node.cluster, metadata: node.metadata ?? {}, userAgent: userAgentOf(node) };
}

/** What a session knows about its client. */
export interface ClientFacts {
  readonly stream: number;
  readonly call: StreamCall;
  readonly protocol: "sotw" | "delta";
  /** Absent before the first request. */
  readonly node: NodeFacts | undefined;
  readonly connectedAt: number;
  readonly subscriptions: readonly Subscription[];
}

/** The client as `status()` shows it. */
export function clientStatus({ stream, call, protocol, node, connectedAt, subscriptions }: ClientFacts): ClientStatus {
  return {
    stream,
    peer: call.peer.address,
    identities: call.peer.identities,
    method: call.path,
    protocol,
    nodeId: node?.id ?? "",
    nodeCluster: node?.cluster ?? "",
    metadata: node?.metadata ?? {},
    userAgent: node?.userAgent ?? "",
    connectedAt,
    subscriptions: subscriptions.map((sub) => sub.status()),
  };
}

function userAgentOf(node: Node): string {
  const version = node.userAgentVersionType;
  if (version.case === "userAgentVersion") return `${node.userAgentName} ${version.value}`.trim();
  if (version.case === "userAgentBuildVersion" && version.value.version !== undefined) {
    const { majorNumber, minorNumber, patch } = version.value.version;
    return `${node.userAgentName} ${majorNumber}.${minorNumber}.${patch}`.trim();
  }
  return node.userAgentName;
}
