import { InvalidArgumentError, Option, type Command } from "commander";
import {
  defaultNodeCluster,
  nodeIdDoubt,
  parseHostPort,
  parseLocality,
  parseMetadata,
  UsageError,
  type BootstrapOptions,
  type ClientTls,
  type HostPort,
  type XdsTransport,
} from "../bootstrap/options.ts";
import type { CommandContext } from "./context.ts";

/** The flags that describe a node and its way to the control plane; shared by `bootstrap` and `agent`. */
export interface BootstrapFlags {
  readonly node: string;
  readonly cluster?: string;
  /** The first that answers is used. */
  readonly xdsAddress: readonly HostPort[];
  readonly sotw?: true;
  readonly delta?: true;
  readonly rest?: true;
  readonly files?: string;
  readonly adminPort: number;
  readonly metadata: readonly string[];
  readonly locality?: string;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tlsServerName?: string;
}

/** Makes a parser for commander out of a function that throws a UsageError. */
function argument<T>(parse: (text: string) => T): (text: string) => T {
  return (text) => {
    try {
      return parse(text);
    } catch (error) {
      if (error instanceof UsageError) throw new InvalidArgumentError(error.message);
      throw error;
    }
  };
}

/** A whole number from `min` to `max`, for commander. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d{1,10}$/.test(text) ? Number(text) : -1;
    if (value < min || value > max) throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
    return value;
  };
}

/** Gathers the values of a flag that may be given more than once. */
export function gather(value: string, earlier: readonly string[]): readonly string[] {
  return [...earlier, value];
}

const defaultAddress: HostPort = { host: "127.0.0.1", port: 15010 };

function gatherAddresses(text: string, earlier: readonly HostPort[]): readonly HostPort[] {
  const address = argument(parseHostPort)(text);
  return earlier.includes(defaultAddress) ? [address] : [...earlier, address];
}

/** Adds the shared flags to a command. */
export function withBootstrapFlags(command: Command): Command {
  return command
    .requiredOption(
      "--node <id>",
      "node id; sidecar~IP~NAME.NS~NS.svc.cluster.local for a sidecar, any text for a plain Envoy",
    )
    .option("--cluster <name>", "node cluster (default: taken from the node id)")
    .addOption(
      new Option("--xds-address <host:port>", "where Signalbox listens; of several, the first that answers is used")
        .default([defaultAddress], "127.0.0.1:15010")
        .argParser(gatherAddresses),
    )
    .addOption(new Option("--delta", "ask for changes only (default)").conflicts(["sotw", "rest", "files"]))
    .addOption(new Option("--sotw", "ask for the state of the world").conflicts(["delta", "rest", "files"]))
    .addOption(
      new Option("--rest", "poll by REST; name the debug port, 15014, in --xds-address").conflicts([
        "delta",
        "sotw",
        "files",
      ]),
    )
    .addOption(new Option("--files <dir>", "read the files that xds.files writes").conflicts(["delta", "sotw", "rest"]))
    .addOption(
      new Option("--admin-port <port>", "Envoy's admin page, on loopback; 0 takes a free one")
        .default(15000)
        .argParser(wholeNumber(0, 65535)),
    )
    .addOption(
      new Option("--metadata <key=value>", "node metadata, may be repeated; JSON where the value begins with { or [")
        .default([], "none")
        .argParser(gather),
    )
    .option("--locality <region/zone/subzone>", "where the node runs")
    .option("--tls-ca <file>", "authority of the server's certificate; turns mutual TLS on")
    .option("--tls-cert <file>", "the node's certificate")
    .option("--tls-key <file>", "the node's private key")
    .option("--tls-server-name <name>", "name in the server's certificate (default: the host of --xds-address)");
}

/** What the flags mean. Warns on standard error of a node id that is doubtful. Throws a UsageError where flags do not fit together. */
export function bootstrapOptions(flags: BootstrapFlags, { stderr }: Pick<CommandContext, "stderr">): BootstrapOptions {
  if (flags.node.trim() === "") throw new UsageError("--node must not be empty: give the node a name");
  const doubt = nodeIdDoubt(flags.node);
  if (doubt !== undefined)
    stderr.write(
      `signalbox: warning: the node id ${JSON.stringify(flags.node)} does not read as TYPE~IP~NAME.NAMESPACE~DOMAIN: ${JSON.stringify(doubt).slice(1, -1).replaceAll('\\"', '"')}\n`,
    );
  const [xds = defaultAddress, ...fallbacks] = flags.xdsAddress;
  const tls = tlsOf(flags, xds, fallbacks);
  return {
    nodeId: flags.node,
    nodeCluster: flags.cluster ?? defaultNodeCluster(flags.node),
    metadata: parseMetadata(flags.metadata),
    ...(flags.locality === undefined ? {} : { locality: parseLocality(flags.locality) }),
    xds,
    ...(fallbacks.length > 0 && { fallbacks }),
    transport: transportOf(flags),
    ...(tls === undefined ? {} : { tls }),
    adminPort: flags.adminPort,
  };
}

function transportOf(flags: BootstrapFlags): XdsTransport {
  if (flags.files !== undefined) return { type: "files", dir: flags.files };
  if (flags.rest === true) return { type: "rest" };
  return { type: "ads", protocol: flags.sotw === true ? "sotw" : "delta" };
}

function tlsOf(flags: BootstrapFlags, xds: HostPort, fallbacks: readonly HostPort[]): ClientTls | undefined {
  const { tlsCa, tlsCert, tlsKey, tlsServerName } = flags;
  if (tlsCa === undefined && tlsCert === undefined && tlsKey === undefined && tlsServerName === undefined)
    return undefined;
  if (tlsCa === undefined || tlsCert === undefined || tlsKey === undefined)
    throw new UsageError("--tls-ca, --tls-cert and --tls-key belong together");
  if (flags.rest === true || flags.files !== undefined)
    throw new UsageError("--tls-… goes with --delta and --sotw only");
  if (tlsServerName === undefined && fallbacks.some(({ host }) => host !== xds.host))
    throw new UsageError(
      "several hosts in --xds-address need --tls-server-name: the name that all their certificates carry",
    );
  return { ca: tlsCa, cert: tlsCert, key: tlsKey, serverName: tlsServerName ?? xds.host };
}
