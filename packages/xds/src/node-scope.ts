import type { Sidecar } from "@signalbox/istio-objects";
import { contentHash } from "@signalbox/model";
import type { Client, Rule, RuleBook } from "@signalbox/traffic";
import type { Directory } from "./directory.ts";
import type { TargetPorts } from "./gateway/merge.ts";
import { targetPorts } from "./gateway/target-ports.ts";
import { inboundHosts } from "./inbound.ts";
import type { MeshSettings } from "./mesh.ts";
import {
  clientOf,
  fallbackOf,
  flavourOf,
  hasListeners,
  isCaptured,
  isRouter,
  styleOf,
  wildcardsOf,
} from "./node-kind.ts";
import type { ProxyNode } from "./node.ts";
import type { PatchContext } from "./patches/match.ts";
import type { Patcher } from "./patches/patcher.ts";
import type { Patchers } from "./patches/patchers.ts";

/** What decides everything that a node gets, but for its inbound ports. */
export interface NodeScope {
  readonly node: ProxyNode;
  readonly dnsDomain: string;
  readonly client: Client;
  readonly clientKey: string;
  readonly sidecar: Rule<Sidecar> | undefined;
  readonly settings: MeshSettings;
  /** Where a router listens for ports that Gateways name; undefined for all others. */
  readonly targets: TargetPorts | undefined;
  readonly patcher: Patcher | undefined;
  /** Whether the node gets the secrets that its Gateways name. */
  readonly secrets: boolean;
  readonly key: string;
}

const nothing = { listeners: false } as const;

/** What scopes are decided by. */
export interface NodeScopesOptions {
  readonly settings: MeshSettings;
  /** DNS domain of the cluster, for nodes that name only their namespace. */
  readonly domain: string;
  readonly book: RuleBook;
  readonly directory: Directory;
  readonly patchers: Patchers;
}

/** Decides what scope a node has. Clients for whom all rules are equal are one object, so that what is kept for them is kept once. */
export class NodeScopes {
  readonly #settings: MeshSettings;
  /** The settings with the other policy for unknown hosts. */
  readonly #opposite: MeshSettings;
  readonly #domain: string;
  readonly #book: RuleBook;
  readonly #directory: Directory;
  readonly #patchers: Patchers;
  readonly #clients = new Map<string, Client>();

  constructor({ settings, domain, book, directory, patchers }: NodeScopesOptions) {
    this.#settings = settings;
    this.#opposite = { ...settings, registryOnly: !settings.registryOnly };
    this.#domain = domain;
    this.#book = book;
    this.#directory = directory;
    this.#patchers = patchers;
  }

  /**
   * The scope of a node by what is known now. Nodes with equal keys get the same but for their inbound ports. `trusted`: the node was found to
   * be what it says.
   */
  of(node: ProxyNode, trusted: boolean): NodeScope {
    const { namespace } = node;
    const dnsDomain = node.dnsDomain || [namespace, "svc", this.#domain].filter((part) => part !== "").join(".");
    const asking = clientOf(node);
    const clientKey = JSON.stringify([asking.kind, namespace, this.#book.signature(asking)]);
    let client = this.#clients.get(clientKey);
    if (client === undefined) {
      client = asking;
      this.#clients.set(clientKey, client);
    }
    const sidecar = node.type === "sidecar" ? this.#book.sidecar(client) : undefined;
    const settings = this.#settingsFor(sidecar);
    const targets = isRouter(node)
      ? targetPorts(this.#directory.servicesAt(node.addresses), node.addresses)
      : undefined;
    const chosen = this.#patchers.of(node, client, () => this.#aroundPatches(node, targets));
    const secrets = trusted && node.type === "router" && namespace !== "";
    const parts = hasListeners(node)
      ? [dnsDomain, styleOf(node), fallbackOf(node, settings)]
      : [nothing, flavourOf(node)];
    const key = JSON.stringify([
      node.type === "grpc",
      clientKey,
      sidecar === undefined ? "" : `${sidecar.key} ${contentHash(sidecar.spec)}`,
      ...parts,
      targets === undefined ? "" : [node.privileged, wildcardsOf(node.addresses), ...targets],
      chosen?.key ?? "",
      secrets,
    ]);
    return { node, dnsDomain, client, clientKey, sidecar, settings, targets, patcher: chosen?.patcher, secrets, key };
  }

  /** Lets go of a kind of clients of which no scope is left. */
  forgetClient(clientKey: string): void {
    this.#clients.delete(clientKey);
  }

  /** What patches may ask of a proxy beside its resources. */
  #aroundPatches(
    node: ProxyNode,
    targets: TargetPorts | undefined,
  ): Pick<PatchContext, "inboundHosts" | "gatewayPorts"> {
    if (targets !== undefined) {
      const gatewayPorts = new Map<number, Set<number>>();
      for (const [port, target] of targets) {
        const ports = gatewayPorts.get(target) ?? new Set();
        gatewayPorts.set(target, ports.add(port));
      }
      return { gatewayPorts };
    }
    return isCaptured(node)
      ? { inboundHosts: inboundHosts(this.#directory.servicesAt(node.addresses), node.addresses) }
      : {};
  }

  /** A Sidecar may say otherwise than the mesh what becomes of traffic to unknown hosts. */
  #settingsFor(sidecar: Rule<Sidecar> | undefined): MeshSettings {
    const mode = sidecar?.spec.outboundTrafficPolicy?.mode;
    if (mode === undefined) return this.#settings;
    const registryOnly = mode === "REGISTRY_ONLY";
    return registryOnly === this.#settings.registryOnly ? this.#settings : this.#opposite;
  }
}
