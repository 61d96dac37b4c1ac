import type { Read } from "./proto-json.ts";
import { readDestinationRule } from "./schema/destination-rule.ts";
import { readEnvoyFilter } from "./schema/envoy-filter.ts";
import { readGateway } from "./schema/gateway.ts";
import { readAuthorizationPolicy, readPeerAuthentication, readRequestAuthentication } from "./schema/security.ts";
import { readSidecar } from "./schema/sidecar.ts";
import { readProxyConfig, readTelemetry } from "./schema/telemetry.ts";
import { readVirtualService } from "./schema/virtual-service.ts";
import { readWorkloadGroup } from "./schema/workload-group.ts";
import { readServiceEntry } from "./service-entry.ts";
import { readWorkloadEntry } from "./workload-entry.ts";

/** A column of `kubectl get`. */
export interface PrinterColumn {
  readonly name: string;
  readonly type: "date" | "string";
  readonly jsonPath: string;
  readonly description: string;
}

/** One kind of Istio's API as an API server has it. */
export interface IstioKind {
  readonly kind: string;
  readonly group: "networking.istio.io" | "security.istio.io" | "telemetry.istio.io";
  readonly plural: string;
  readonly shortNames: readonly string[];
  /** All that Istio serves, the best first. Their fields are the same. */
  readonly versions: readonly string[];
  /** The version in which Istio's own definitions store objects; two definitions must not differ in it. */
  readonly storage: string;
  readonly columns: readonly PrinterColumn[];
  /** Whether an object without `spec` is refused. */
  readonly needsSpec: boolean;
  /** Reads `spec`. */
  readonly read: Read<unknown>;
}

const networking = { group: "networking.istio.io", versions: ["v1", "v1beta1", "v1alpha3"], storage: "v1" } as const;
const security = { group: "security.istio.io", versions: ["v1", "v1beta1"], storage: "v1" } as const;

/** The kinds that are read here, by their names. */
export const istioKinds: readonly IstioKind[] = [
  {
    kind: "AuthorizationPolicy",
    ...security,
    plural: "authorizationpolicies",
    shortNames: ["ap"],
    columns: [column("Action", ".spec.action", "What becomes of requests that match.")],
    needsSpec: false,
    read: readAuthorizationPolicy,
  },
  {
    kind: "DestinationRule",
    ...networking,
    plural: "destinationrules",
    shortNames: ["dr"],
    columns: [column("Host", ".spec.host", "The service that the rule is for.")],
    needsSpec: false,
    read: readDestinationRule,
  },
  {
    kind: "EnvoyFilter",
    ...networking,
    versions: ["v1alpha3"],
    storage: "v1alpha3",
    plural: "envoyfilters",
    shortNames: [],
    columns: [],
    needsSpec: false,
    read: readEnvoyFilter,
  },
  {
    kind: "Gateway",
    ...networking,
    plural: "gateways",
    shortNames: ["gw"],
    columns: [],
    needsSpec: false,
    read: readGateway,
  },
  {
    kind: "PeerAuthentication",
    ...security,
    plural: "peerauthentications",
    shortNames: ["pa"],
    columns: [column("Mode", ".spec.mtls.mode", "Whether peers must speak mutual TLS.")],
    needsSpec: false,
    read: readPeerAuthentication,
  },
  {
    kind: "ProxyConfig",
    ...networking,
    versions: ["v1beta1"],
    storage: "v1beta1",
    plural: "proxyconfigs",
    shortNames: [],
    columns: [],
    needsSpec: false,
    read: readProxyConfig,
  },
  {
    kind: "RequestAuthentication",
    ...security,
    plural: "requestauthentications",
    shortNames: ["ra"],
    columns: [],
    needsSpec: false,
    read: readRequestAuthentication,
  },
  {
    kind: "ServiceEntry",
    ...networking,
    plural: "serviceentries",
    shortNames: ["se"],
    columns: [
      column("Hosts", ".spec.hosts", "The host names of the service."),
      column("Location", ".spec.location", "Whether the service is in the mesh or outside."),
      column("Resolution", ".spec.resolution", "How addresses are found: NONE, STATIC, DNS and others."),
    ],
    needsSpec: true,
    read: readServiceEntry,
  },
  {
    kind: "Sidecar",
    ...networking,
    plural: "sidecars",
    shortNames: [],
    columns: [],
    needsSpec: false,
    read: readSidecar,
  },
  {
    kind: "Telemetry",
    group: "telemetry.istio.io",
    versions: ["v1", "v1alpha1"],
    storage: "v1alpha1",
    plural: "telemetries",
    shortNames: ["telemetry"],
    columns: [],
    needsSpec: false,
    read: readTelemetry,
  },
  {
    kind: "VirtualService",
    ...networking,
    plural: "virtualservices",
    shortNames: ["vs"],
    columns: [
      column(
        "Gateways",
        ".spec.gateways",
        "Where the routes are in force; the sidecars of the mesh where none is named.",
      ),
      column("Hosts", ".spec.hosts", "The hosts whose traffic is routed."),
    ],
    needsSpec: false,
    read: readVirtualService,
  },
  {
    kind: "WorkloadEntry",
    ...networking,
    plural: "workloadentries",
    shortNames: ["we"],
    columns: [column("Address", ".spec.address", "Where the workload is reached.")],
    needsSpec: true,
    read: readWorkloadEntry,
  },
  {
    kind: "WorkloadGroup",
    ...networking,
    plural: "workloadgroups",
    shortNames: ["wg"],
    columns: [],
    needsSpec: true,
    read: readWorkloadGroup,
  },
];

function column(name: string, jsonPath: string, description: string): PrinterColumn {
  return { name, type: "string", jsonPath, description };
}
