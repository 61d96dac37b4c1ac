import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { typeUrls } from "@signalbox/envoy-api";
import {
  ClusterLoadAssignmentSchema,
  type ClusterLoadAssignment,
} from "@signalbox/envoy-api/envoy/config/endpoint/v3/endpoint";
import { HealthStatus } from "@signalbox/envoy-api/envoy/config/core/v3/health_check";
import { connect, sotwStream } from "@signalbox/test-servers";

/** One endpoint as a proxy gets it. */
interface SentEndpoint {
  readonly address: string;
  readonly health: keyof typeof HealthStatus;
  readonly priority: number;
  /** Its part of the cluster's traffic, 0..1, among the endpoints of its priority, by the weights that were sent. */
  readonly share: number;
}

/** The node of a sidecar in the namespace `shop`. */
export const sidecar = "sidecar~10.9.9.8~client.shop~shop.svc.cluster.local";

/** An ADS client that follows the endpoints of one port of one service. */
export function followEndpoints(xdsPort: number, hostname: string, port = 8080) {
  const client = connect(xdsPort);
  const stream = sotwStream(client, sidecar);
  stream.subscribe(typeUrls.cluster);
  let asked = false;
  return {
    /** Every answer of endpoints so far. */
    count: () => stream.responses.filter(({ typeUrl }) => typeUrl === typeUrls.endpoint).length,
    /** The endpoints of the next answer. */
    async next(): Promise<readonly SentEndpoint[]> {
      if (!asked) {
        await stream.next(typeUrls.cluster);
        stream.subscribe(typeUrls.endpoint, [`outbound|${port}||${hostname}`]);
        asked = true;
      }
      const { resources } = await stream.next(typeUrls.endpoint);
      const [assignment] = resources.flatMap((any) => anyUnpack(any, ClusterLoadAssignmentSchema) ?? []);
      if (assignment === undefined) throw new Error("an answer without an assignment");
      return sentEndpoints(assignment);
    },
    close(): void {
      stream.close();
      client.close();
    },
  };
}

function sentEndpoints({ endpoints }: ClusterLoadAssignment): readonly SentEndpoint[] {
  const weightOf = (one: { readonly loadBalancingWeight?: number | undefined }): number => one.loadBalancingWeight ?? 1;
  const sum = (weights: readonly number[]): number => weights.reduce((total, weight) => total + weight, 0);
  return endpoints
    .flatMap((locality) => {
      // Envoy shares among localities by their weights, and within one by those of its endpoints.
      const same = endpoints.filter(({ priority }) => priority === locality.priority);
      const part = weightOf(locality) / sum(same.map(weightOf));
      const all = sum(locality.lbEndpoints.map(weightOf));
      return locality.lbEndpoints.map((endpoint) => ({
        address: addressOf(endpoint),
        health: HealthStatus[endpoint.healthStatus] as keyof typeof HealthStatus,
        priority: locality.priority,
        share: (part * weightOf(endpoint)) / all,
      }));
    })
    .sort((a, b) => (a.address < b.address ? -1 : 1));
}

function addressOf({ hostIdentifier }: ClusterLoadAssignment["endpoints"][number]["lbEndpoints"][number]): string {
  if (hostIdentifier.case !== "endpoint") return "?";
  const address = hostIdentifier.value.address?.address;
  if (address?.case !== "socketAddress" || address.value.portSpecifier.case !== "portValue") return "?";
  return `${address.value.address}:${address.value.portSpecifier.value}`;
}
