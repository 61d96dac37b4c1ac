import { fromBinary, toBinary, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { typeUrls, type TypeUrl } from "@signalbox/envoy-api";
import { ClusterSchema } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import { TrafficDirection } from "@signalbox/envoy-api/envoy/config/core/v3/base";
import { ListenerSchema } from "@signalbox/envoy-api/envoy/config/listener/v3/listener";
import { RouteConfigurationSchema } from "@signalbox/envoy-api/envoy/config/route/v3/route";
import { resourceOf, type Resource } from "@signalbox/xds-server";
import { patchCluster } from "./cluster-patches.ts";
import { targets, textOf, type CompiledPatch, type CompiledPatches, type PatchFault } from "./compile.ts";
import { patchListener } from "./listener-patches.ts";
import { addsTo, clusterPlace, matchesCluster, matchesPlace, matchesProxy, matchesRouteTable } from "./match.ts";
import type { PatchContext, PatchPlace } from "./match.ts";
import { Placed } from "./placed.ts";
import { patchRouteTable } from "./route-patches.ts";
import { firstViolation } from "./validity.ts";

/** Type of extension configurations that are discovered (ECDS). */
export const extensionConfigType: TypeUrl = "type.googleapis.com/envoy.config.core.v3.TypedExtensionConfig";

/** What became of a resource. `resource` is the very object where nothing matched, and undefined where it was removed. */
export interface Patched {
  readonly resource: Resource | undefined;
  readonly faults: readonly PatchFault[];
}

const sound: readonly PatchFault[] = [];

const added: ReadonlyMap<TypeUrl, "LISTENER" | "CLUSTER" | "EXTENSION_CONFIG"> = new Map([
  [typeUrls.listener, "LISTENER"],
  [typeUrls.cluster, "CLUSTER"],
  [extensionConfigType, "EXTENSION_CONFIG"],
]);
const ofType: ReadonlyMap<TypeUrl, readonly string[]> = new Map([
  [typeUrls.route, ["ROUTE_CONFIGURATION", "VIRTUAL_HOST", "HTTP_ROUTE"]],
  [typeUrls.cluster, ["CLUSTER"]],
  [extensionConfigType, ["EXTENSION_CONFIG"]],
]);
const others = new Set(["CLUSTER", "EXTENSION_CONFIG"]);

/** The patches of one kind of proxy. Each version of a resource is patched once, however many views show it. */
export class Patcher {
  readonly #patches: readonly CompiledPatch[];
  readonly #context: PatchContext;
  readonly #done = new WeakMap<Resource, Patched>();
  readonly #added = new Map<TypeUrl, ReadonlyMap<string, Resource>>();

  constructor(compiled: CompiledPatches, context: PatchContext) {
    this.#patches = compiled.patches.filter((patch) => matchesProxy(patch, context));
    this.#context = context;
    for (const [type, target] of added) {
      const resources = new Map<string, Resource>();
      for (const patch of this.#patches) {
        if (patch.target !== target || patch.operation !== "ADD") continue;
        if (target !== "EXTENSION_CONFIG" && !addsTo(patch, context.router)) continue;
        const { name } = patch.value as MessageShape<(typeof targets)[typeof target]>;
        const schema: DescMessage = targets[target];
        if (!resources.has(name)) resources.set(name, resourceOf(name, toBinary(schema, patch.value)));
      }
      this.#added.set(type, resources);
    }
  }

  /** Can any patch of this proxy matter to resources of this type? */
  concerns(type: TypeUrl): boolean {
    const wanted = ofType.get(type);
    if (wanted !== undefined) return this.#patches.some(({ target }) => wanted.includes(target));
    // Routes that stand in listeners are patched there.
    return type === typeUrls.listener && this.#patches.some(({ target }) => !others.has(target));
  }

  /** Resources that patches bring, by name. The first of a name has it. */
  added(type: TypeUrl): ReadonlyMap<string, Resource> {
    return this.#added.get(type) ?? new Map<string, Resource>();
  }

  /** A resource with its patches. It stays as it is, with a fault, where patching fails or gives what Envoy would refuse. */
  patch(type: TypeUrl, resource: Resource): Patched {
    let done = this.#done.get(resource);
    if (done === undefined) {
      done = this.#patch(type, resource);
      this.#done.set(resource, done);
    }
    return done;
  }

  #patch(type: TypeUrl, resource: Resource): Patched {
    try {
      switch (type) {
        case typeUrls.cluster:
          return this.#patchCluster(resource);
        case typeUrls.route:
          return this.#patchRoutes(resource);
        case typeUrls.listener:
          return this.#patchListener(resource);
        default:
          return { resource, faults: sound };
      }
    } catch (error) {
      return { resource, faults: [faultOf(resource, "", textOf(error))] };
    }
  }

  #patchCluster(resource: Resource): Patched {
    const place = clusterPlace(resource.name, this.#context.router);
    const patches = this.#patches.filter(
      (patch) =>
        patch.target === "CLUSTER" &&
        patch.operation !== "ADD" &&
        matchesPlace(patch, place) &&
        matchesCluster(patch, resource.name, this.#context),
    );
    if (patches.length === 0) return { resource, faults: sound };
    const placed = new Placed(patches);
    return edited(ClusterSchema, resource, placed, (cluster) => patchCluster(cluster, patches, placed));
  }

  #patchRoutes(resource: Resource): Patched {
    const place = this.#context.router ? "GATEWAY" : "SIDECAR_OUTBOUND";
    const patches = this.#patches.filter(
      (patch) =>
        (ofType.get(typeUrls.route) ?? []).includes(patch.target) &&
        matchesPlace(patch, place) &&
        matchesRouteTable(patch, place, resource.name, this.#context),
    );
    if (patches.length === 0) return { resource, faults: sound };
    const placed = new Placed(patches);
    return edited(RouteConfigurationSchema, resource, placed, (table) => {
      patchRouteTable(table, placed, place, this.#context);
      return true;
    });
  }

  #patchListener(resource: Resource): Patched {
    const listener = fromBinary(ListenerSchema, resource.bytes);
    const place: PatchPlace = this.#context.router
      ? "GATEWAY"
      : listener.trafficDirection === TrafficDirection.INBOUND
        ? "SIDECAR_INBOUND"
        : "SIDECAR_OUTBOUND";
    const patches = this.#patches.filter((patch) => !others.has(patch.target) && matchesPlace(patch, place));
    if (patches.length === 0) return { resource, faults: sound };
    const placed = new Placed(patches);
    return edited(ListenerSchema, resource, placed, (one) => patchListener(one, placed, place, this.#context));
  }
}

function edited<D extends DescMessage>(
  schema: D,
  resource: Resource,
  placed: Placed,
  edit: (message: MessageShape<D>) => boolean,
): Patched {
  const message = fromBinary(schema, resource.bytes);
  if (!edit(message)) return { resource: undefined, faults: sound };
  const { faults, objects, touched } = placed;
  if (!touched) return { resource, faults };
  const refused = (path: string, text: string): Patched => {
    return { resource, faults: [...faults, faultOf(resource, path, text, [...objects])] };
  };
  const { name } = message as unknown as { readonly name: string };
  if (name !== resource.name) return refused("name", "cannot be changed by a patch");
  const violation = firstViolation(schema, message);
  if (violation !== undefined) return refused(violation.path, violation.message);
  return { resource: resourceOf(resource.name, toBinary(schema, message)), faults };
}

function faultOf({ name }: Resource, path: string, message: string, by: readonly string[] = []): PatchFault {
  return { object: "", by, patch: -1, path: path === "" ? name : `${name}: ${path}`, message };
}
