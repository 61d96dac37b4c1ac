import { isIP } from "node:net";

/** How an Envoy gets its resources. */
export type XdsTransport =
  /** One ADS stream; `delta` sends only what changed. */
  | { readonly type: "ads"; readonly protocol: "delta" | "sotw" }
  /** Polls `/v3/discovery:clusters` and `:listeners` with POST. */
  | { readonly type: "rest" }
  /** Reads files that `xds.files` of the configuration keeps up to date. */
  | { readonly type: "files"; readonly dir: string };

/** Files for mutual TLS with the control plane. */
export interface ClientTls {
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** Name or IP address that the server's certificate must carry. */
  readonly serverName: string;
}

/** What a bootstrap is made from. */
export interface BootstrapOptions {
  readonly nodeId: string;
  /** `node.cluster`; Envoy wants one. */
  readonly nodeCluster: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly locality?: { readonly region: string; readonly zone: string; readonly subzone: string };
  readonly xds: HostPort;
  /** Where else the control plane answers, tried in this order while those before do not. */
  readonly fallbacks?: readonly HostPort[];
  readonly transport: XdsTransport;
  readonly tls?: ClientTls;
  /** Port of the admin page on loopback; 0 takes a free one. */
  readonly adminPort: number;
}

/** An address to connect to. */
export interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** Thrown for a value of the command line that cannot be used. */
export class UsageError extends Error {
  readonly code = "SBX_USAGE";

  constructor(message: string) {
    super(message);
    this.name = "UsageError";
  }
}

/** Reads `host:port` or `[ipv6]:port`. Throws a UsageError. */
export function parseHostPort(text: string): HostPort {
  const parts = /^(?:\[([^\]]+)\]|([^:\s]+)):(\d{1,5})$/.exec(text);
  const host = parts?.[1] ?? parts?.[2];
  const port = Number(parts?.[3]);
  if (host === undefined || port < 1 || port > 65535 || (parts?.[1] !== undefined && isIP(host) !== 6))
    throw new UsageError(`"${text}" is not an address; write host:port or [ipv6]:port`);
  return { host, port };
}

/**
 * Reads `KEY=value` pairs of node metadata. A value that begins with `{` or `[` is JSON, all else is text.
 * Throws a UsageError.
 */
export function parseMetadata(pairs: readonly string[]): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    pairs.map((pair): [string, unknown] => {
      const split = pair.indexOf("=");
      if (split < 1) throw new UsageError(`"${pair}" is not metadata; write KEY=value`);
      const value = pair.slice(split + 1);
      if (!/^\s*[[{]/.test(value)) return [pair.slice(0, split), value];
      try {
        return [pair.slice(0, split), JSON.parse(value) as unknown];
      } catch (error) {
        throw new UsageError(`metadata ${pair.slice(0, split)} is not JSON: ${(error as Error).message}`);
      }
    }),
  );
}

/** Reads `region`, `region/zone` or `region/zone/subzone`. Throws a UsageError. */
export function parseLocality(text: string): { region: string; zone: string; subzone: string } {
  const [region = "", zone = "", subzone = "", ...rest] = text.split("/");
  if (region === "" || rest.length > 0) throw new UsageError(`"${text}" is not a locality; write region/zone/subzone`);
  return { region, zone, subzone };
}

/**
 * Why a node id that looks like one of Istio's is none, or `undefined`. Istio's have four parts: `TYPE~IP~NAME.NAMESPACE~DOMAIN`, with the
 * type `sidecar` or `router`. Ids of other clients are any text without `~` behind their first word.
 */
export function nodeIdDoubt(id: string): string | undefined {
  if (!/^\w+~/.test(id)) return undefined;
  const parts = id.split("~");
  const [type = "", ip = "", name = "", domain = ""] = parts;
  if (parts.length !== 4) return `it has ${parts.length} parts and not 4`;
  if (type !== "sidecar" && type !== "router") return `its type is "${type}" and not sidecar or router`;
  if (isIP(ip) === 0) return `"${ip}" is not an IP address`;
  return name === "" || domain === "" ? "a part is empty" : undefined;
}

/**
 * The value of `node.cluster` where none is given: the workload's part of an Istio node id
 * (`sidecar~10.1.1.3~web-1.shop~shop.svc.cluster.local` gives `web-1.shop`), else the id itself.
 */
export function defaultNodeCluster(nodeId: string): string {
  const parts = nodeId.split("~");
  return parts.length === 4 && parts[2] !== undefined && parts[2] !== "" ? parts[2] : nodeId;
}
