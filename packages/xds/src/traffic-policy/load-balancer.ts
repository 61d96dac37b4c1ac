import { create } from "@bufbuild/protobuf";
import {
  Cluster_LbPolicy,
  Cluster_LeastRequestLbConfigSchema,
  Cluster_MaglevLbConfigSchema,
  Cluster_RingHashLbConfigSchema,
  Cluster_RoundRobinLbConfigSchema,
  Cluster_SlowStartConfigSchema,
  type Cluster_SlowStartConfig,
} from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import type { LoadBalancer } from "@signalbox/istio-objects";
import type { ClusterInit } from "../cluster-init.ts";
import { duration } from "../messages.ts";

type Balancing = Pick<ClusterInit, "lbPolicy" | "lbConfig">;
type ConsistentHash = NonNullable<LoadBalancer["consistentHash"]>;

/** Envoy's own smallest ring, which Istio writes out where the rule asks for hashing and names no table. */
const defaultRingSize = 1024n;

/**
 * Least requests, where weights alone decide between endpoints of different weight: by default Envoy divides each weight by the
 * requests that are under way, and under load an endpoint that shall get a tenth gets up to twice as much.
 */
export function leastRequest(slowStart?: Cluster_SlowStartConfig): Balancing {
  return {
    lbPolicy: Cluster_LbPolicy.LEAST_REQUEST,
    lbConfig: {
      case: "leastRequestLbConfig",
      value: create(Cluster_LeastRequestLbConfigSchema, {
        activeRequestBias: { defaultValue: 0, runtimeKey: "signalbox.active_request_bias" },
        ...(slowStart === undefined ? {} : { slowStartConfig: slowStart }),
      }),
    },
  };
}

/** How a cluster with endpoints chooses among them. `PASSTHROUGH`, which chooses none, is no matter of this function: it gives the default. */
export function balancing(rule: LoadBalancer): Balancing {
  if (rule.consistentHash !== undefined) return hashing(rule.consistentHash);
  switch (rule.simple) {
    case "RANDOM":
      return { lbPolicy: Cluster_LbPolicy.RANDOM };
    case "ROUND_ROBIN":
      return roundRobin(slowStart(rule));
    case "UNSPECIFIED":
    case "LEAST_CONN":
    case "LEAST_REQUEST":
    case "PASSTHROUGH":
    case undefined:
      return leastRequest(slowStart(rule));
  }
}

/** A ring with the sizes of the rule: the one kind of hashing that gRPC knows. */
export function ringHash(rule: ConsistentHash): Balancing {
  const size = rule.ringHash === undefined ? BigInt(rule.minimumRingSize) : BigInt(rule.ringHash.minimumRingSize);
  const given = size > 0n ? size : rule.ringHash === undefined ? defaultRingSize : undefined;
  return {
    lbPolicy: Cluster_LbPolicy.RING_HASH,
    ...(given === undefined
      ? {}
      : {
          lbConfig: {
            case: "ringHashLbConfig",
            value: create(Cluster_RingHashLbConfigSchema, { minimumRingSize: given }),
          },
        }),
  };
}

function hashing(rule: ConsistentHash): Balancing {
  if (rule.maglev === undefined) return ringHash(rule);
  const tableSize = BigInt(rule.maglev.tableSize);
  return {
    lbPolicy: Cluster_LbPolicy.MAGLEV,
    ...(tableSize > 0n
      ? { lbConfig: { case: "maglevLbConfig", value: create(Cluster_MaglevLbConfigSchema, { tableSize }) } }
      : {}),
  };
}

function roundRobin(slowStartConfig: Cluster_SlowStartConfig | undefined): Balancing {
  return {
    lbPolicy: Cluster_LbPolicy.ROUND_ROBIN,
    ...(slowStartConfig === undefined
      ? {}
      : {
          lbConfig: {
            case: "roundRobinLbConfig",
            value: create(Cluster_RoundRobinLbConfigSchema, { slowStartConfig }),
          },
        }),
  };
}

/** `warmup`, else the older `warmupDurationSecs`, which has Envoy's defaults for the rest. */
function slowStart({ warmup, warmupDurationSecs }: LoadBalancer): Cluster_SlowStartConfig | undefined {
  if (warmup !== undefined) {
    return create(Cluster_SlowStartConfigSchema, {
      ...(warmup.duration === undefined ? {} : { slowStartWindow: duration(warmup.duration) }),
      aggression: { defaultValue: warmup.aggression ?? 1, runtimeKey: "signalbox.slow_start_aggression" },
      minWeightPercent: { value: warmup.minimumPercent ?? 10 },
    });
  }
  if (warmupDurationSecs === undefined) return undefined;
  return create(Cluster_SlowStartConfigSchema, { slowStartWindow: duration(warmupDurationSecs) });
}
