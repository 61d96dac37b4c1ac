import { byCodeUnit, instanceKey } from "@signalbox/model";
import type { Catalog, CatalogInstance, ServiceKey } from "@signalbox/model";
import type { ServiceExplanation } from "@signalbox/policy";
import { z } from "zod";
import { hostOf, isAsked, parseAddress } from "../address-text.ts";
import type { AskedAddress } from "../address-text.ts";
import { ApiRefusal } from "../failure.ts";
import { findService, keyIn } from "../find-service.ts";
import { nearest } from "../near.ts";
import { serviceName } from "../parameters.ts";
import { route } from "../route.ts";
import type { Route, RouteContext } from "../route.ts";
import type { schemas } from "../schemas.ts";

const mostHints = 5;

/** Why a service, or an endpoint of it, is as it is. */
export const explainRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/v1/explain",
    operation: "explain",
    summary:
      "What became of every candidate of a service, and why. With an address only of that one: also where it is not there, with when it left and what is nearly so.",
    query: {
      service: serviceName,
      address: z
        .string()
        .min(1)
        .max(300)
        .optional()
        .meta({ description: "Of an endpoint; without a port all ports of the host.", examples: ["10.1.2.3:8080"] }),
    },
    answer: "Explanation",
    refuses: ["SBX_SERVICE_AMBIGUOUS", "SBX_SERVICE_UNKNOWN"],
    handle: ({ query }, context) => {
      const explanation = explanationOf(query.service, context);
      if (query.address === undefined) return wholeExplanation(explanation);
      return explainAddress(explanation, parseAddress(query.address), context.sources.catalog());
    },
  }),
];

/** A service that is not in the catalog can still be explained, by its key: all that is left of it may be departures. */
function explanationOf(text: string, { sources }: RouteContext): ServiceExplanation {
  const key = keyIn(text);
  const known = key && sources.explain(key);
  if (known) return known;
  const service = findService(sources.catalog(), text);
  const explanation = sources.explain(service);
  if (explanation) return explanation;
  throw new ApiRefusal(
    "SBX_SERVICE_UNKNOWN",
    `Nobody tells of ${service} here: ask a process that reads the registries.`,
    {
      near: [],
    },
  );
}

function wholeExplanation(explanation: ServiceExplanation): z.input<typeof schemas.ServiceExplanation> {
  const { aliases, conflicts, departures, identities, lints, merge, service, unserved } = explanation;
  return {
    service,
    aliases: [...aliases].sort(byCodeUnit),
    identities: [...identities],
    merge: mergeRow(merge),
    ...(unserved && { unserved }),
    candidates: candidateRows(explanation, () => true),
    conflicts: [...conflicts],
    lints: [...lints],
    departures: departureRows(departures, () => true),
  };
}

function explainAddress(
  explanation: ServiceExplanation,
  asked: AskedAddress,
  catalog: Catalog,
): z.input<typeof schemas.AddressExplanation> {
  const { departures, service } = explanation;
  // A dual-stack endpoint is known by its first address; people may ask by any of them.
  const instances = catalog.entries.get(service)?.instances ?? [];
  const primaries = new Set(
    instances.filter((instance) => has(instance, asked)).map(({ addresses: [primary] }) => instanceKey(primary)),
  );
  const isMeant = (address: string): boolean => isAsked(asked, address) || primaries.has(address);
  const candidates = candidateRows(explanation, isMeant);
  const found = candidates.length > 0;
  return {
    service,
    address: asked.text,
    found,
    candidates,
    departures: departureRows(departures, isMeant),
    hints: found
      ? { services: [], addresses: [] }
      : { services: otherServices(catalog, asked, service), addresses: nearAddresses(explanation, asked) },
  };
}

function has({ addresses }: CatalogInstance, asked: AskedAddress): boolean {
  return addresses.some((address) => isAsked(asked, instanceKey(address)));
}

function otherServices({ entries }: Catalog, asked: AskedAddress, not: ServiceKey): ServiceKey[] {
  return [...entries.values()]
    .filter(({ key, instances }) => key !== not && instances.some((instance) => has(instance, asked)))
    .map(({ key }) => key)
    .sort(byCodeUnit)
    .slice(0, mostHints);
}

/** Other ports of the same host first, then what a slip of the fingers makes. */
function nearAddresses({ candidates }: ServiceExplanation, { hasPort, text }: AskedAddress): string[] {
  const addresses = [...new Set(candidates.map(({ address }) => address))].sort(byCodeUnit);
  const host = hasPort ? hostOf(text) : text;
  const sameHost = addresses.filter((address) => hostOf(address) === host);
  const like = hasPort
    ? nearest(text, addresses, mostHints)
    : nearest(text, new Set(addresses.map(hostOf)), mostHints).flatMap((near) =>
        addresses.filter((address) => hostOf(address) === near),
      );
  return [...new Set([...sameHost, ...like])].slice(0, mostHints);
}

function candidateRows(
  { candidates }: ServiceExplanation,
  isMeant: (address: string) => boolean,
): z.input<typeof schemas.Candidate>[] {
  return candidates
    .filter(({ address }) => isMeant(address))
    .map((candidate) => ({ ...candidate, findings: [...candidate.findings] }))
    .sort(
      (a, b) =>
        byCodeUnit(a.servicePort, b.servicePort) ||
        byCodeUnit(a.address, b.address) ||
        byCodeUnit(a.registry, b.registry) ||
        byCodeUnit(a.id, b.id),
    );
}

/** The latest first. */
function departureRows(
  departures: ServiceExplanation["departures"],
  isMeant: (address: string) => boolean,
): ServiceExplanation["departures"][number][] {
  return departures
    .filter(({ address }) => isMeant(address))
    .sort((a, b) => b.at - a.at || byCodeUnit(a.address, b.address) || byCodeUnit(a.registry, b.registry));
}

function mergeRow(merge: ServiceExplanation["merge"]): z.input<typeof schemas.ServiceExplanation>["merge"] {
  switch (merge.type) {
    case "prefer":
    case "failover":
      return { type: merge.type, order: [...merge.order] };
    case "split":
      return { ...merge, shares: [...merge.shares] };
    case "union":
    case "authoritative":
      return merge;
  }
}
