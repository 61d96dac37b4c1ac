import { byCodeUnit, objectKey, type CatalogDelta, type ObjectKey } from "@signalbox/model";
import type { Client, RuleBook, RuleTouches } from "@signalbox/traffic";
import type { Resource } from "@signalbox/xds-server";
import type { TranslationFault } from "../translation-fault.ts";
import { SecretError, secretResource, type Credential } from "../gateway/secrets.ts";
import { ResourceTable } from "../tables.ts";
import { credentialRule, namedByGateways, placeOf, type CredentialRule, type NamedSecrets } from "./named-secrets.ts";

/** Secrets that changed, by `<namespace>/<name>`. Undefined: it is gone. */
export type SecretChanges = ReadonlyMap<string, Credential | undefined>;

const callersSuffix = "-cacert";

/** All secrets that are known, and all DestinationRules that name any. */
export class RouterSecrets {
  readonly #credentials = new Map<string, Credential>();
  readonly #rules = new Map<ObjectKey, CredentialRule>();
  readonly #encoded = new WeakMap<Credential, Map<string, Resource>>();
  readonly #book: Pick<RuleBook, "gateways">;
  #told = false;

  constructor(book: Pick<RuleBook, "gateways">) {
    this.#book = book;
  }

  /** Takes in secrets. */
  set(changes: SecretChanges): void {
    this.#told = true;
    for (const [place, credential] of changes) {
      if (credential === undefined) this.#credentials.delete(place);
      else this.#credentials.set(place, credential);
    }
  }

  /** Takes in objects; says whether routers may see other secrets than before. */
  apply({ removed, upserted }: CatalogDelta["objects"], { gateways, signatures }: RuleTouches): boolean {
    const before = this.#rules.size;
    let touched = gateways.size > 0 || signatures;
    for (const key of removed) this.#rules.delete(key);
    touched ||= this.#rules.size < before;
    for (const object of upserted) {
      const key = objectKey(object);
      const rule = credentialRule(object);
      touched ||= rule !== undefined || this.#rules.has(key);
      if (rule === undefined) this.#rules.delete(key);
      else this.#rules.set(key, rule);
    }
    return touched;
  }

  /** What routers like this one may have. */
  named(client: Client): NamedSecrets {
    const byRules = [...this.#rules.values()]
      .filter((rule) => rule.isSeenIn(client.namespace))
      .flatMap(({ resources }) => resources.map((resource) => ({ resource })));
    return [...namedByGateways(this.#book.gateways(client)), ...byRules];
  }

  /**
   * The credential of a name for routers of a namespace. The certificates of callers are those of a secret of their own, or else those
   * that the certificate's secret has. Undefined as long as no source has told anything. Throws a SecretError where there is none.
   */
  credential(name: string, namespace: string, owner?: string): Credential | undefined {
    const place = placeOf(name, namespace, owner);
    if (!this.#told) return undefined;
    const key = `${place.namespace}/${place.name}`;
    const shared = key.endsWith(callersSuffix) ? key.slice(0, -callersSuffix.length) : key;
    const credential = this.#credentials.get(key) ?? this.#credentials.get(shared);
    if (credential === undefined) throw new SecretError(name, "no source has it");
    return credential;
  }

  /** The resource for a credential, made once. Throws a SecretError where it lacks what the name promises. */
  encode(name: string, credential: Credential): Resource {
    const known = this.#encoded.get(credential) ?? new Map<string, Resource>();
    const resource = known.get(name) ?? secretResource(name, credential);
    this.#encoded.set(credential, known.set(name, resource));
    return resource;
  }
}

/** The secrets of routers that equal rules govern. What cannot be made is a fault, and stays as it was. */
export class SecretTable extends ResourceTable {
  readonly #secrets: RouterSecrets;
  readonly #client: Client;
  #faults: readonly TranslationFault[] = [];

  constructor(secrets: RouterSecrets, client: Client) {
    super();
    this.#secrets = secrets;
    this.#client = client;
    this.update();
    this.settle();
  }

  get faults(): readonly TranslationFault[] {
    return this.#faults;
  }

  /** Brings the table to what is named and known now. */
  update(): void {
    const { namespace } = this.#client;
    const credentials = new Map<string, Credential | undefined>();
    const faults = new Map<string, unknown>();
    for (const { owner, resource: name } of this.#secrets.named(this.#client)) {
      try {
        credentials.set(name, this.#secrets.credential(name, namespace, owner));
      } catch (cause) {
        faults.set(name, cause);
      }
    }
    // Of several who name it, one may have it.
    for (const name of credentials.keys()) faults.delete(name);
    for (const name of new Set([...this.resources.keys(), ...this.changed]))
      if (!credentials.has(name)) this.remove(name);
    for (const [name, credential] of credentials) {
      if (credential === undefined) continue;
      try {
        this.put(this.#secrets.encode(name, credential));
      } catch (cause) {
        // What lacks a part now keeps its last good form.
        faults.set(name, cause);
      }
    }
    const subject = (name: string) => `secret ${name} for routers of ${namespace}`;
    this.#faults = [...faults]
      .sort(([a], [b]) => byCodeUnit(a, b))
      .map(([name, cause]) => ({ subject: subject(name), cause }));
  }
}
