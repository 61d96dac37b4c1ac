import type { VirtualService } from "@signalbox/istio-objects";
import { contentHash, type Labels } from "@signalbox/model";
import type { Client } from "../client.ts";
import { meshGateway } from "../host-name.ts";
import type { Routing } from "../host-rules.ts";
import type { Rule } from "../rule.ts";
import { isPublic, reachOf, type Reach } from "./reach.ts";
import { destinationsOf, type ResolvedVirtualService } from "./resolve.ts";
import { RoutesBySource } from "./sources.ts";

/** One VirtualService in force: resolved once, its routes for each kind of client made when they are asked for. */
export class BoundVirtualService {
  readonly rule: Rule<VirtualService>;
  readonly resolved: ResolvedVirtualService;
  /** Equal text: nobody gets anything else, and its place among others is the same. */
  readonly version: string;
  readonly #byGateway = new Map<string, RoutesBySource>();

  constructor(rule: Rule<VirtualService>, resolved: ResolvedVirtualService) {
    this.rule = rule;
    this.resolved = resolved;
    const { createdAt } = rule.object;
    this.version = contentHash({ resolved, createdAt, exportTo: rule.spec.exportTo });
    for (const gateway of resolved.gateways) this.#byGateway.set(gateway, new RoutesBySource(resolved, gateway));
  }

  /** Whether it is for calls within the mesh. */
  get inMesh(): boolean {
    return this.#byGateway.has(meshGateway);
  }

  /** Whether clients of all namespaces see it. */
  get public(): boolean {
    return isPublic(this.rule.spec.exportTo);
  }

  /** Whether clients differ in what they get of it. */
  get conditional(): boolean {
    return [...this.#byGateway.values()].some((routes) => !routes.unconditional);
  }

  /** Whether it has routes for connections that are not HTTP. */
  get layer4(): boolean {
    return this.resolved.tls.length + this.resolved.tcp.length > 0;
  }

  /** All hosts that its routes send or mirror to. */
  get destinations(): readonly string[] {
    return destinationsOf(this.resolved);
  }

  /** Whether and how clients of a namespace see it. */
  reach(namespace: string): Reach | undefined {
    return reachOf(this.rule.spec.exportTo, this.resolved.namespace, namespace);
  }

  /** What a client gets of it through a gateway; undefined where no route is left. It is not asked whether the client sees it. */
  routing(gateway: string, client: Client): Routing | undefined {
    return this.#byGateway.get(gateway)?.routing(client);
  }

  /** Sets of labels that decide what clients of a namespace get of it. */
  selectors(namespace: string): readonly Labels[] {
    return [...this.#byGateway.values()].flatMap((routes) => routes.selectors(namespace));
  }

  /** What the signatures of clients depend on, as one text; empty where they do not. */
  get terms(): string {
    const conditions = [...this.#byGateway.values()].map(({ terms }) => terms).join("|");
    return this.conditional ? `${conditions}|${this.rule.spec.exportTo.join()}` : "";
  }
}
