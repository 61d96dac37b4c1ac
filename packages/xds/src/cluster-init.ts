import type { ClusterSchema } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import type { Init } from "./messages.ts";

/** A Cluster before it is encoded; rules change it here. */
export type ClusterInit = Init<typeof ClusterSchema> & { name: string };
