import {
  isHostname,
  isIpAddress,
  type Address,
  type HealthStatus,
  type Labels,
  type Locality,
  type Protocol,
} from "@signalbox/model";
import type { EurekaInstance } from "../client/answer.ts";
import type { EurekaConfig } from "../config.ts";

/** Something in the source that cannot be used. */
export interface EurekaFault {
  readonly app: string;
  readonly instance: string;
  /** What is at fault; also the value of the metric's label. */
  readonly what: "address" | "hostname" | "port" | "protocol" | "weight";
  readonly message: string;
}

/** One place where an instance listens. */
export interface EurekaEndpoint {
  readonly instance: EurekaInstance;
  /** `port`, `securePort`, or the metadata key that names the port. */
  readonly role: string;
  readonly port: number;
  readonly protocol: Protocol;
  /** Whether metadata says the protocol; if not, it is a default that anything else overrules. */
  readonly explicit: boolean;
  readonly secure: boolean;
}

/** Where an instance listens, as far as its ports make sense. */
export function endpointsOf(
  instance: EurekaInstance,
  config: EurekaConfig,
  report: (fault: EurekaFault) => void,
): readonly EurekaEndpoint[] {
  const { port, securePort, metadata } = instance;
  const named = protocolOf(instance, config, report);
  const endpoints: EurekaEndpoint[] = [];
  const add = (role: string, number: number, protocol: Protocol, explicit: boolean): void => {
    if (!Number.isInteger(number) || number < 1 || number > 65_535) {
      report(faultOf(instance, "port", `${role} is no port number`));
    } else if (!endpoints.some((other) => other.port === number)) {
      endpoints.push({ instance, role, port: number, protocol, explicit, secure: role === "securePort" });
    }
  };
  // First, because a port that metadata names says more than the same number without a word.
  for (const [key, protocol] of config.portKeys) {
    const value = metadataOf(metadata, [key]);
    if (value !== undefined && value.trim() !== "") add(key, Number(value), protocol, true);
  }
  if (port !== undefined) add("port", port, named ?? config.protocol, named !== undefined);
  if (securePort !== undefined) add("securePort", securePort, config.secureProtocol, false);
  return endpoints;
}

function protocolOf(
  instance: EurekaInstance,
  { protocolKeys }: EurekaConfig,
  report: (fault: EurekaFault) => void,
): Protocol | undefined {
  const value = metadataOf(instance.metadata, protocolKeys)?.trim();
  if (value === undefined || value === "") return undefined;
  const protocol = namedProtocols.get(value.toLowerCase());
  if (protocol === undefined) report(faultOf(instance, "protocol", `${JSON.stringify(value)} is no protocol`));
  return protocol;
}

const namedProtocols: ReadonlyMap<string, Protocol> = new Map<string, Protocol>([
  ...(["HTTP", "HTTP2", "GRPC", "GRPC-WEB", "HTTPS", "TLS", "TCP", "UDP", "MONGO", "MYSQL", "REDIS"] as const).map(
    (protocol): [string, Protocol] => [protocol.toLowerCase(), protocol],
  ),
  ["h2c", "HTTP2"],
  ["auto", "UNSUPPORTED"],
]);

/**
 * The address of an instance: `ipAddr` where it is an IP address, else the name in `hostName` or `ipAddr`. Absent where
 * neither can be dialled.
 */
export function addressOf(instance: EurekaInstance, port: number): Address | undefined {
  const { ipAddr, hostName } = instance;
  const ip = [ipAddr, hostName].find(isIpAddress);
  if (ip !== undefined && !unusable.has(ip)) return { type: "ip", ip, port };
  const hostname = [hostName, ipAddr].find((name) => isHostname(name) && !looksLikeIp.test(name));
  return hostname === undefined ? undefined : { type: "hostname", hostname: hostname.toLowerCase(), port };
}

/** Addresses to listen on, which nobody can dial. */
const unusable: ReadonlySet<string> = new Set(["0.0.0.0", "::"]);
/** A mistyped IP address passes for a name. */
const looksLikeIp = /^[\d.]+$/;

/** Health by the status after overrides; absent where the policy leaves such instances out. */
export function healthOf(instance: EurekaInstance, { status }: EurekaConfig): HealthStatus | undefined {
  const health = status[instance.effectiveStatus];
  return health === "omit" ? undefined : health;
}

/** The weight that metadata names, 1 where it names none. A fraction is rounded up, so that a little never becomes nothing. */
export function weightOf(
  instance: EurekaInstance,
  { weightKeys }: EurekaConfig,
  report: (fault: EurekaFault) => void,
): number {
  const value = metadataOf(instance.metadata, weightKeys);
  if (value === undefined || value.trim() === "") return 1;
  const weight = Number(value);
  if (weight >= 0 && weight <= 0xffff_ffff) return Math.ceil(weight);
  report(faultOf(instance, "weight", `${JSON.stringify(value)} is no weight; 1 stands in for it`));
  return 1;
}

/** The metadata, with the version under the name that Istio's subsets use. */
export function labelsOf({ metadata }: EurekaInstance, { versionKeys }: EurekaConfig): Labels {
  const version = metadataOf(metadata, versionKeys);
  return version === undefined || Object.hasOwn(metadata, "version") ? metadata : { ...metadata, version };
}

/** Where an instance runs, by its metadata, or else by the availability zone of its Amazon data centre. */
export function localityOf({ metadata, availabilityZone }: EurekaInstance, { localityKeys }: EurekaConfig): Locality {
  return {
    region: metadataOf(metadata, localityKeys.region) ?? availabilityZone.replace(/[a-z]$/, ""),
    zone: metadataOf(metadata, localityKeys.zone) ?? availabilityZone,
    subzone: metadataOf(metadata, localityKeys.subzone) ?? "",
  };
}

/** A fault of one instance. */
export function faultOf({ app, id }: EurekaInstance, what: EurekaFault["what"], message: string): EurekaFault {
  return { app, instance: id, what, message };
}

function metadataOf(metadata: Labels, keys: readonly string[]): string | undefined {
  const key = keys.find((one) => Object.hasOwn(metadata, one));
  return key === undefined ? undefined : metadata[key];
}
