import type { CatalogEntry, RegistryId, Service, ServiceKey } from "@signalbox/model";
import { portPolicy, type Client, type DestinationPolicy, type Routing, type RuleBook } from "@signalbox/traffic";
import type { AppliedRules } from "./applied-rules.ts";
import { CompiledService } from "./compiled-service.ts";
import type { TranslationFault } from "./translation-fault.ts";
import type { MeshSettings } from "./mesh.ts";

/** Finds the service that clients see at a host, without its rules. */
export type FindService = (host: string, client: Client) => CompiledService | undefined;

/** What clients reach by the name of a destination. */
interface Reached {
  readonly service: Service;
  readonly policy: DestinationPolicy | undefined;
}

/** Port of a host that only rules know: Istio gives such hosts routes on this one. */
const bareHostPort = 80;

/**
 * Services with the rules that hold for one kind of client. Clients with equal rules get the same object, which lives until the service
 * or something that its rules depend on changes.
 */
export class RuledServices {
  readonly #book: RuleBook;
  readonly #settings: MeshSettings;
  readonly #find: FindService;
  readonly #forms = new Map<string, Map<string, CompiledService>>();
  readonly #retired = new Map<string, Map<string, CompiledService>>();
  /** What each kind of client got last, by service: it stays where newer rules cannot be translated. */
  readonly #lastGood = new Map<string, WeakMap<Client, CompiledService>>();
  readonly #faults = new Map<string, TranslationFault>();
  readonly #routingOf = new WeakMap<Client, (host: string) => Routing | undefined>();

  constructor(book: RuleBook, settings: MeshSettings, find: FindService) {
    this.#book = book;
    this.#settings = settings;
    this.#find = find;
  }

  /** What cannot be translated now. */
  get faults(): Iterable<TranslationFault> {
    return this.#faults.values();
  }

  /** Another answer than the book's to which routing a host has for these clients. */
  routeBy(client: Client, routing: (host: string) => Routing | undefined): void {
    this.#routingOf.set(client, routing);
  }

  /** The service with its rules; the service itself where there are none. */
  with(base: CompiledService, client: Client): CompiledService {
    const rules = this.#rulesOf(base.host, base.entry.service.namespace, client);
    if (rules === undefined) {
      this.#lastGood.get(base.entry.key)?.delete(client);
      this.#faults.delete(base.entry.key);
      return base;
    }
    return this.#form(base.entry.key, base.entry, rules, client) ?? base;
  }

  /** A host that has routes but no service, as a service without clusters; undefined where no rule names the host itself. */
  bare(host: string, client: Client): CompiledService | undefined {
    const routing = this.#routing(host, client);
    if (routing === undefined || !routing.hosts.some((one) => one.toLowerCase() === host)) return undefined;
    const rules = this.#rulesOf(host, routing.namespace, client);
    if (rules === undefined) return undefined;
    return this.#form(host, bareEntry(host, routing.namespace), { ...rules, bare: true }, client);
  }

  /** What tells the rules of a host apart from those of other clients; empty without rules. */
  keyOf(host: string, owner: string, client: Client): string {
    return this.#rulesOf(host, owner, client)?.key ?? "";
  }

  /** An event begins: forms that nobody asked for again since the last one touched them are forgotten. */
  begin(): void {
    this.#retired.clear();
  }

  /** A service (by key) or a bare host, or something that its rules depend on, changed. */
  touch(slot: string): void {
    const forms = this.#forms.get(slot);
    if (forms !== undefined) this.#retired.set(slot, forms);
    this.#forms.delete(slot);
    this.#faults.delete(slot);
  }

  /** A service (by key) or a bare host is gone. */
  remove(slot: string): void {
    this.touch(slot);
    this.#lastGood.delete(slot);
  }

  #form(slot: string, entry: CatalogEntry, rules: AppliedRules, client: Client): CompiledService | undefined {
    const forms = this.#forms.get(slot) ?? new Map<string, CompiledService>();
    this.#forms.set(slot, forms);
    const known = forms.get(rules.key) ?? this.#retired.get(slot)?.get(rules.key);
    let good = this.#lastGood.get(slot);
    if (good === undefined) this.#lastGood.set(slot, (good = new WeakMap<Client, CompiledService>()));
    try {
      const form =
        known?.entry.versions.service === entry.versions.service &&
        known.entry.versions.instances === entry.versions.instances
          ? known
          : new CompiledService(entry, this.#settings, known, rules);
      forms.set(rules.key, form);
      good.set(client, form);
      return form;
    } catch (cause) {
      this.#faults.set(slot, { subject: slot, cause, objects: objectsOf(rules) });
      return this.#older(entry, good.get(client));
    }
  }

  /** The last good rules with the endpoints of now. */
  #older(entry: CatalogEntry, last: CompiledService | undefined): CompiledService | undefined {
    if (last === undefined || last.entry === entry) return last;
    try {
      return new CompiledService(entry, this.#settings, last, last.rules);
    } catch {
      return last;
    }
  }

  #routing(host: string, client: Client): Routing | undefined {
    const own = this.#routingOf.get(client);
    return own === undefined ? this.#book.routing(host, client) : own(host);
  }

  #rulesOf(host: string, owner: string, client: Client): AppliedRules | undefined {
    const routing = this.#routing(host, client);
    const destination = this.#book.destination(host, owner, client);
    if (routing === undefined && destination === undefined) return undefined;
    const parts = [routing?.version ?? "", destination?.version ?? ""];
    // As they are now: the form may be used again for other clients who have the same.
    const known = new Map<string, Reached | undefined>();
    for (const one of routing?.destinations ?? []) {
      const name = one.toLowerCase();
      const target = this.#find(name, client);
      const reached = this.#reached(target, client);
      known.set(name, reached);
      if (target !== undefined && !known.has(target.host)) known.set(target.host, reached);
      parts.push(target?.entry.key ?? "", target?.entry.versions.service ?? "", reached?.policy?.version ?? "");
    }
    const reach = (one: string): Reached | undefined => {
      const name = one.toLowerCase();
      return known.has(name) ? known.get(name) : this.#reached(this.#find(name, client), client);
    };
    return {
      key: parts.join(" "),
      routing,
      destination,
      destinations: {
        service: (one) => reach(one)?.service,
        policy: (one, port, subset) => {
          const reached = reach(one);
          return reached === undefined ? undefined : portPolicy(reached.policy, port, subset);
        },
      },
    };
  }

  #reached(target: CompiledService | undefined, client: Client): Reached | undefined {
    if (target === undefined) return undefined;
    const { service } = target.entry;
    return { service, policy: this.#book.destination(target.host, service.namespace, client) };
  }
}

function objectsOf({ destination, routing }: AppliedRules): readonly string[] {
  return [
    ...(routing === undefined ? [] : [`VirtualService/${routing.namespace}/${routing.name}`]),
    ...(destination?.objects ?? []).map((object) => `DestinationRule/${object}`),
  ];
}

function bareEntry(hostname: string, namespace: string): CatalogEntry {
  const key = `${namespace}/${hostname}` as ServiceKey;
  const registry = "rules/routes" as RegistryId;
  return {
    key,
    service: {
      hostname,
      namespace,
      ports: [{ name: "http", number: bareHostPort, protocol: "HTTP" }],
      resolution: "STATIC",
      addresses: [],
      labels: {},
      meshExternal: true,
      exportTo: [],
      serviceAccounts: [],
      provenance: { registry, object: key },
    },
    instances: [],
    registries: [registry],
    versions: { service: "", instances: "" },
  };
}
