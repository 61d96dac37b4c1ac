import type { Cluster } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import { clone } from "@bufbuild/protobuf";
import { ClusterSchema } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import type { CompiledPatch } from "./compile.ts";
import { isMerge, type Placed } from "./placed.ts";

/** Patches a cluster in place with patches that match it. False for one that is removed. */
export function patchCluster(cluster: Cluster, patches: readonly CompiledPatch[], placed: Placed): boolean {
  for (const patch of patches) {
    if (patch.operation === "REMOVE") {
      placed.touched = true;
      return false;
    }
    if (isMerge(patch) && !mergeTransport(cluster, patch, placed)) placed.merge("CLUSTER", patch, cluster);
  }
  return true;
}

/**
 * A patch with a transport socket changes that alone, as in Istio: the one of this name is merged, another one takes the place of the
 * cluster's only one, and none is put beside a list of matches. False for a patch without one.
 */
function mergeTransport(cluster: Cluster, patch: CompiledPatch, placed: Placed): boolean {
  const { transportSocket: source } = clone(ClusterSchema, patch.value as Cluster);
  if (source === undefined) return false;
  const among = cluster.transportSocketMatches.map(({ transportSocket }) => transportSocket);
  const own = among.length > 0 ? among : [cluster.transportSocket];
  const target = own.find((socket) => socket?.name === source.name);
  if (target === undefined) {
    if (among.length > 0) return true;
    placed.touched = true;
    cluster.transportSocket = source;
    return true;
  }
  if (target.configType.case === "typedConfig" && source.configType.case === "typedConfig") {
    target.configType.value = placed.mergeAny(patch, target.configType.value, source.configType.value);
  }
  return true;
}
