import type { Client, EnvoyPatch, RuleBook } from "@signalbox/traffic";
import type { TranslationFault } from "../translation-fault.ts";
import type { ProxyNode } from "../node.ts";
import { compilePatches, type CompiledPatches, type PatchFault } from "./compile.ts";
import type { PatchContext } from "./match.ts";
import { Patcher } from "./patcher.ts";

/** The patcher of a node, with a text that tells it from the patchers of other nodes. */
export interface ChosenPatcher {
  readonly key: string;
  readonly patcher: Patcher;
}

/** Finds the patches of EnvoyFilters that hold for a node. Nodes that they do not tell apart share one patcher. */
export class Patchers {
  readonly #book: RuleBook;
  readonly #compiled = new WeakMap<readonly EnvoyPatch[], { readonly id: number; readonly patches: CompiledPatches }>();
  #chosen = new Map<string, Patcher>();
  #faults = new Map<string, readonly PatchFault[]>();
  #next = 1;

  constructor(book: RuleBook) {
    this.#book = book;
  }

  /** EnvoyFilters changed: patchers of before serve only who still holds them. */
  forget(): void {
    this.#chosen = new Map();
    this.#faults = new Map();
  }

  /** Undefined where nothing is patched. `inboundHosts` and `gatewayPorts` are asked for only where there are patches. */
  of(
    node: ProxyNode,
    client: Client,
    around: () => Pick<PatchContext, "inboundHosts" | "gatewayPorts">,
  ): ChosenPatcher | undefined {
    if (node.type === "grpc") return undefined;
    const patches = this.#book.envoyPatches(client);
    if (patches.length === 0) return undefined;
    const compiled = this.#compile(patches);
    if (compiled.patches.patches.length === 0) return undefined;
    const { gatewayPorts, inboundHosts } = around();
    const metadata = Object.fromEntries(
      [...compiled.patches.metadataKeys].flatMap((name) =>
        Object.hasOwn(node.metadata, name) ? [[name, node.metadata[name]] as const] : [],
      ),
    );
    const router = node.type === "router";
    const { istioVersion } = node;
    const key = JSON.stringify([
      compiled.id,
      router,
      istioVersion,
      metadata,
      [...(inboundHosts ?? [])],
      [...(gatewayPorts ?? [])].map(([port, ports]) => [port, ...ports]),
    ]);
    let patcher = this.#chosen.get(key);
    if (patcher === undefined) {
      const context = {
        router,
        istioVersion,
        metadata,
        ...(inboundHosts === undefined ? {} : { inboundHosts }),
        ...(gatewayPorts === undefined ? {} : { gatewayPorts }),
      };
      patcher = new Patcher(compiled.patches, context);
      this.#chosen.set(key, patcher);
    }
    return { key, patcher };
  }

  /** Patches that cannot be used, of those that nodes were given. */
  get faults(): readonly TranslationFault[] {
    return [...this.#faults.values()].flat().map(faultOf);
  }

  #compile(patches: readonly EnvoyPatch[]): { readonly id: number; readonly patches: CompiledPatches } {
    let compiled = this.#compiled.get(patches);
    if (compiled === undefined) {
      compiled = { id: this.#next++, patches: compilePatches(patches) };
      this.#compiled.set(patches, compiled);
    }
    this.#faults.set(String(compiled.id), compiled.patches.faults);
    return compiled;
  }
}

/** What is wrong with a patch, as the translator reports it. */
export function faultOf({ by = [], message, object, patch, path }: PatchFault): TranslationFault {
  const subject = object === "" ? `resource ${path}` : `EnvoyFilter ${object}`;
  const place = patch < 0 ? path : [`configPatches[${String(patch)}]`, path].filter((part) => part !== "").join(".");
  return {
    subject,
    cause: `${place}: ${message}`,
    objects: (object === "" ? by : [object]).map((name) => `EnvoyFilter/${name}`),
  };
}
