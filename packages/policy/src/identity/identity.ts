import type { RegistryId } from "@signalbox/model";
import { fits, type Pattern } from "../patterns.ts";
import { fillTemplate } from "./template.ts";

/** Gives services of some registries their canonical name. The first rule of the list that fits counts. */
export interface IdentityRule {
  /** Registries that it is for. */
  readonly registries: readonly Pattern[];
  /** Hostnames, as the registry has them, that it is for. */
  readonly hostnames: readonly Pattern[];
  /** Template of the canonical hostname. */
  readonly hostname: string;
  /** Template of the canonical namespace. */
  readonly namespace: string;
  /** Templates of further hostnames under which the service is known in its canonical namespace. */
  readonly aliases: readonly string[];
  /** Whether several services of one registry may become one. */
  readonly gather: boolean;
  /** Whether a service that cannot have its name is left out of the catalog, instead of having another one. Default false. */
  readonly strict?: boolean;
}

/** Who a service is. */
export interface Identity {
  readonly hostname: string;
  readonly namespace: string;
  /** Sorted as the rule has them, without the hostname itself. */
  readonly aliases: readonly string[];
  /** Which rule said so; absent where the name is the registry's own. */
  readonly rule?: number;
  readonly gather: boolean;
  /** Whether the service has this name or none. */
  readonly strict: boolean;
}

/** Says who a service of a registry is. Pure, and the same for equal input. A rule whose template comes out empty does not fit. */
export function identify(
  rules: readonly IdentityRule[],
  registry: RegistryId,
  service: { readonly hostname: string; readonly namespace: string },
): Identity {
  const hostname = service.hostname.toLowerCase();
  const values = {
    name: hostname.split(".", 1)[0] ?? "",
    hostname,
    namespace: service.namespace,
    registry: registry.slice(registry.indexOf("/") + 1),
  };
  for (const [index, rule] of rules.entries()) {
    if (!rule.registries.some((pattern) => fits(pattern, registry))) continue;
    if (!rule.hostnames.some((pattern) => fits(pattern, hostname))) continue;
    const canonical = fillTemplate(rule.hostname, values);
    const namespace = fillTemplate(rule.namespace, values);
    if (canonical === undefined || namespace === undefined) continue;
    const aliases = rule.aliases.flatMap((template) => fillTemplate(template, values) ?? []);
    return {
      hostname: canonical,
      namespace,
      aliases: [...new Set(aliases)].filter((alias) => alias !== canonical),
      rule: index,
      gather: rule.gather,
      strict: rule.strict ?? false,
    };
  }
  return { hostname: service.hostname, namespace: service.namespace, aliases: [], gather: false, strict: false };
}
