import type { NameDomain } from "./host-name.ts";
import {
  istioKinds,
  readDestinationRule,
  readEnvoyFilter,
  readGateway,
  readSidecar,
  readVirtualService,
} from "@signalbox/istio-objects";
import { byCodeUnit, type CatalogDelta } from "@signalbox/model";
import { atOnce, type Steps } from "@signalbox/slices";
import { DestinationRules } from "./destination-rule/destination-rules.ts";
import type { LocalityDefault } from "./destination-rule/place.ts";
import type { RuleBook, RuleTouches } from "./rule-book.ts";
import { Touched } from "./rule-index.ts";
import type { Rule } from "./rule.ts";
import { RuleSet } from "./rule-set.ts";
import { EnvoyFilters } from "./selected/envoy-filters.ts";
import { Gateways } from "./selected/gateways.ts";
import { Sidecars } from "./selected/sidecars.ts";
import { Signatures } from "./signatures.ts";
import { resolveVirtualService } from "./virtual-service/resolve.ts";
import { sorted } from "./sorted.ts";
import { VirtualServices } from "./virtual-service/virtual-services.ts";

/** Settings of the mesh that decide how rules are read. */
export interface RuleBookOptions {
  /** The namespace whose rules are for all; `istio-system` where absent. */
  readonly rootNamespace?: string;
  /** How short names end; `cluster.local` where absent. */
  readonly domain?: NameDomain;
  /** The mesh's `localityLbSetting`; where absent, Istio's default: failover by locality where endpoints can be ejected. */
  readonly localityLoadBalancing?: LocalityDefault;
}

type AnyRuleSet = Pick<RuleSet<unknown>, "upsert" | "remove" | "settling" | "statuses">;

/** Makes an empty book of rules. `resolve` is for tests that count how often it is called. */
export function createRuleBook(options: RuleBookOptions = {}, resolve = resolveVirtualService): RuleBook {
  const { rootNamespace = "istio-system", domain = "cluster.local", localityLoadBalancing } = options;
  const virtualServices = new VirtualServices(domain, resolve);
  const destinationRules = new DestinationRules({ rootNamespace, domain, localityLoadBalancing });
  const gateways = new Gateways();
  const sidecars = new Sidecars(rootNamespace);
  const envoyFilters = new EnvoyFilters(rootNamespace);
  const destinationRuleSet = new RuleSet(readDestinationRule, destinationRules);
  const kinds = new Map<string, AnyRuleSet>([
    // What has no index below is read and checked, so that its faults are told.
    ...istioKinds.map(({ kind, read }) => [kind, new RuleSet(read)] as const),
    ["VirtualService", new RuleSet(readVirtualService, virtualServices)],
    ["DestinationRule", destinationRuleSet],
    ["Gateway", new RuleSet(readGateway, gateways)],
    ["Sidecar", new RuleSet(readSidecar, sidecars)],
    ["EnvoyFilter", new RuleSet(readEnvoyFilter, envoyFilters)],
  ]);
  const signatures = new Signatures((namespace, kind) => ({
    selectors: [
      ...virtualServices.selectors(namespace),
      ...destinationRules.selectors(namespace),
      ...envoyFilters.selectors(namespace),
      ...(kind === "router" ? gateways.selectors() : sidecars.selectors(namespace)),
    ],
    place: destinationRules.placeNeed(namespace),
  }));
  function* applying({ upserted, removed }: CatalogDelta["objects"]): Steps<RuleTouches> {
    const touched = new Touched();
    for (const key of removed) {
      kinds.get(key.slice(0, key.indexOf("/")))?.remove(key, touched);
      yield;
    }
    for (const object of upserted) {
      kinds.get(object.kind)?.upsert(object, touched);
      yield;
    }
    for (const set of kinds.values()) yield* set.settling(touched);
    if (touched.signatures) signatures.forget();
    return touched;
  }
  const namesOf = (rules: readonly Rule<unknown>[]) => rules.map(({ object }) => `${object.namespace}/${object.name}`);
  return {
    governs(key, client, { imports, services }) {
      const [kind = "", ...parts] = key.split("/");
      const id = parts.join("/");
      switch (kind) {
        case "VirtualService":
          return virtualServices.governs(id, client, imports, new Set(namesOf(gateways.of(client))));
        case "DestinationRule": {
          const rule = destinationRuleSet.rule(key);
          if (rule === undefined) return false;
          for (const { hostname, namespace } of services(destinationRules.hostOf(rule)))
            if (destinationRules.destination(hostname, namespace, client)?.objects.includes(id) === true) return true;
          return false;
        }
        case "Gateway":
          return namesOf(gateways.of(client)).includes(id);
        case "Sidecar":
          return sidecars.of(client)?.key === key;
        case "EnvoyFilter":
          return envoyFilters.patches(client).some(({ object }) => object === id);
        default:
          return false;
      }
    },
    apply: (objects) => atOnce(applying(objects)),
    applying,
    signature: (client) => signatures.of(client),
    particular: (client, owners) =>
      sorted([...virtualServices.particular(client), ...destinationRules.particular(client, owners)]),
    routing: (host, client, imports) => virtualServices.routing(host, client, imports),
    destination: (host, owner, client) => destinationRules.destination(host, owner, client),
    isRouted: (host, client, imports) => virtualServices.isRouted(host, client, imports),
    sendersTo: (host) => virtualServices.sendersTo(host),
    sidecar: (client) => sidecars.of(client),
    gateways: (client) => gateways.of(client),
    gatewayRoutings: (gateway, client) => atOnce(virtualServices.gatheringRoutings(gateway, client)),
    gatheringRoutings: (gateway, client) => virtualServices.gatheringRoutings(gateway, client),
    envoyPatches: (client) => envoyFilters.patches(client),
    status: () => [...kinds.values()].flatMap((set) => [...set.statuses()]).sort((a, b) => byCodeUnit(a.key, b.key)),
  };
}
