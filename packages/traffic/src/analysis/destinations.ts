import type { Destination, VirtualService } from "@signalbox/istio-objects";
import { HostIndex } from "../host-index.ts";
import { wholeHost } from "../host-name.ts";
import type { Rule } from "../rule.ts";
import type { Said } from "./finding.ts";
import type { AnalyzedRules } from "./rules.ts";
import type { Services } from "./services.ts";

interface Named {
  readonly path: readonly (string | number)[];
  /** What it is called in messages. */
  readonly word: string;
  readonly destination: Destination;
}

/** Subsets that DestinationRules have, by host. */
export type Subsets = HostIndex<string>;

/** Gathers the subsets of all DestinationRules. */
export function subsetsOf({ destinationRules }: AnalyzedRules, domain: string): Subsets {
  const index: Subsets = new HostIndex();
  for (const { object, spec } of destinationRules) {
    const host = wholeHost(spec.host, object.namespace, domain);
    for (const { name } of spec.subsets) index.add(host, name);
  }
  return index;
}

/** Destinations whose service, port or subset is not there, or that leave the port open where there are several. */
export function* destinationFindings(
  { object, spec }: Rule<VirtualService>,
  services: Services,
  subsets: Subsets,
  domain: string,
): Generator<Said, void, undefined> {
  for (const { path, word, destination } of destinationsOf(spec)) {
    const host = wholeHost(destination.host, object.namespace, domain);
    const found = services.find(host, object.namespace);
    const at = [...path, "host"];
    if (found.length === 0) {
      yield {
        code: "IST0101",
        path: at,
        message: `${word} ${destination.host} is not a service that ${object.namespace} sees`,
      };
    } else {
      yield* portFindings(destination, new Set(found.flatMap(({ ports }) => ports)), path);
    }
    const { subset } = destination;
    const known = [...subsets.covering(host)].some(({ values }) => values.has(subset));
    if (subset !== "" && !known) {
      yield {
        code: "IST0101",
        path: [...path, "subset"],
        message: `no DestinationRule for ${destination.host} has the subset ${subset}`,
      };
    }
  }
}

function* portFindings(
  { host, port }: Destination,
  ports: ReadonlySet<number>,
  path: readonly (string | number)[],
): Generator<Said, void, undefined> {
  const known = [...ports].sort((a, b) => a - b).join(", ");
  if (port === undefined) {
    if (ports.size > 1)
      yield { code: "IST0112", path, message: `${host} has the ports ${known}; a destination must say which` };
  } else if (!ports.has(port.number)) {
    yield {
      code: "IST0101",
      path: [...path, "port"],
      message: `${host} has no port ${port.number}; it has ${known || "none"}`,
    };
  }
}

function* destinationsOf(spec: VirtualService): Generator<Named, void, undefined> {
  for (const kind of ["http", "tls", "tcp"] as const) {
    for (const [index, { route }] of spec[kind].entries()) {
      for (const [place, { destination }] of route.entries()) {
        if (destination === undefined) continue;
        yield { path: ["spec", kind, index, "route", place, "destination"], word: "host", destination };
      }
    }
  }
  for (const [index, { mirror, mirrors }] of spec.http.entries()) {
    const path = ["spec", "http", index];
    if (mirror !== undefined) yield { path: [...path, "mirror"], word: "mirror host", destination: mirror };
    for (const [place, { destination }] of mirrors.entries()) {
      if (destination === undefined) continue;
      yield { path: [...path, "mirrors", place, "destination"], word: "mirror host", destination };
    }
  }
}
