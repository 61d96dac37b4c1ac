import type { Destination } from "@signalbox/istio-objects";
import type { Service } from "@signalbox/model";
import type { PortPolicy } from "@signalbox/traffic";
import type { MeshSettings } from "../mesh.ts";
import { outboundCluster } from "../names.ts";

/** What a client knows of the hosts that rules send to. */
export interface Destinations {
  /** The service that the client reaches by this name; for an alias, the service that it stands for. */
  service(host: string): Service | undefined;
  /** What holds for the client's connections to one port of the host, or of one of its subsets; an empty `subset` is the whole host. */
  policy(host: string, port: number, subset: string): PortPolicy | undefined;
}

/** The Gateways for which a router's rules are read. */
export interface GatewayContext {
  /** `<namespace>/<name>`, as rules write them in `gateways`. */
  readonly names: ReadonlySet<string>;
  /** Does the router end TLS there? */
  readonly tls: boolean;
}

/** Where connections arrive that rules are for. Without `gateway` it is a mesh client's own listener. */
export interface RuleContext {
  /** The listener's port; 0 for a listener of all ports. */
  readonly port: number;
  readonly destinations: Destinations;
  readonly gateway?: GatewayContext | undefined;
}

/** Where requests arrive that rules are for. */
export interface RouteContext extends RuleContext {
  readonly settings: MeshSettings;
}

/** Where requests of a rule go, with the policy that holds for them. */
export interface Target {
  readonly cluster: string;
  readonly policy: PortPolicy | undefined;
}

const mesh: ReadonlySet<string> = new Set(["mesh"]);

/** Is a match for this listener, by its `gateways` and its `port`? Absent ones do not restrict it. */
export function concerns(
  match: { readonly gateways: readonly string[]; readonly port: number },
  { port, gateway }: RuleContext,
): boolean {
  if (match.port !== 0 && match.port !== port) return false;
  const names = gateway?.names ?? mesh;
  return match.gateways.length === 0 || match.gateways.some((name) => names.has(name));
}

/**
 * Where HTTP requests for a destination go. The port is the destination's own, else the only one of its service, else the listener's. A mesh
 * client's route table is of one port, and knows no other port of any service, as in Istio: there it is the listener's.
 */
export function httpTarget(destination: Destination | undefined, context: RuleContext): Target {
  return targetOf(destination, context, context.gateway !== undefined || context.port === 0);
}

/** Where connections for a destination go: to its own port, else to the only one of its service, else to the listener's. */
export function connectionTarget(destination: Destination | undefined, context: RuleContext): Target {
  return targetOf(destination, context, true);
}

function targetOf(destination: Destination | undefined, context: RuleContext, mayAssumePort: boolean): Target {
  // Istio's name for what goes nowhere: there is no such cluster.
  if (destination === undefined || destination.host === "") return { cluster: "UnknownService", policy: undefined };
  const { host, subset } = destination;
  const service = context.destinations.service(host);
  const only = mayAssumePort && service?.ports.length === 1 ? service.ports[0] : undefined;
  const port = destination.port?.number ?? only?.number ?? context.port;
  const hostname = service?.hostname ?? host;
  return {
    cluster: outboundCluster(port, hostname, subset),
    policy: context.destinations.policy(hostname, port, subset),
  };
}
