import { setImmediate as nextTurn } from "node:timers/promises";
import type { TypeUrl } from "@signalbox/envoy-api";
import type { ChangeEvent, EventBus } from "@signalbox/event-bus";
import type { Revision } from "@signalbox/model";
import { isLargeChange } from "@signalbox/xds-server";
import type { ChangedNames, Peer, ResourceSource, ResourceView, StreamFacts, ViewLease } from "@signalbox/xds-server";
import { atOnce, Slices, type Steps } from "@signalbox/slices";
import { parseNode, type NodeLike, type ProxyNode } from "./node.ts";
import type { Credential } from "./gateway/secrets.ts";
import { credentialFault } from "./secrets/credential-fault.ts";
import { credentialOf, type FoundSecrets, type SecretSource } from "./secrets/secret-source.ts";
import type { RuleReport, TranslationChanges, Translator } from "./translator.ts";

/** A consumer of the event bus. */
export interface Publisher {
  readonly name: string;
  /** Follows the bus until `signal` aborts. Rejects when an event cannot be taken in at all. */
  run(bus: Pick<EventBus, "subscribe">, signal: AbortSignal): Promise<void>;
}

/** Where a publisher says what happened: event names in kebab-case with their fields. */
export interface PublisherLogger {
  info(event: string, fields?: object): void;
  warn(event: string, fields?: object): void;
  error(event: string, fields?: object): void;
}

/** What an XdsPublisher is made from. */
export interface XdsPublisherOptions {
  /** Its name as a consumer of the bus. */
  readonly name: string;
  readonly translator: Translator;
  readonly logger?: PublisherLogger;
  /** For the time that a translation took. Without it none is told. */
  readonly clock?: { now(): number };
  /** Certificates for routers. Without it none are served. */
  readonly secrets?: PublishedSecrets;
  /** Whether nodes that ask for virtual hosts one by one get them so. Default true. */
  readonly vhds?: boolean;
  /** Called with the seconds that each translation took; needs `clock`. Must not throw. */
  onTranslated?(seconds: number): void;
}

/** Secrets, and who may have them. */
export interface PublishedSecrets {
  readonly source: SecretSource;
  /** Whether a router proved that it is of the namespace that it says. Asked once for each stream. */
  mayHave(node: NodeLike, peer: Peer): boolean;
}

/** How a publisher is. */
export interface XdsPublisherStatus {
  readonly name: string;
  /** Revision of the catalog that clients see; undefined before the first snapshot. */
  readonly revision: Revision | undefined;
  readonly services: number;
  /** Clients, and the different views that they share. */
  readonly clients: number;
  readonly views: number;
  readonly resources: ReadonlyMap<TypeUrl, number>;
  /** How long the last event took, in milliseconds. */
  readonly lastTranslation: number | undefined;
  /** What cannot be translated now, at most 100: subject and reason. */
  readonly faults: ReadonlyMap<string, string>;
}

/** Follows the bus and hands the views of a translator to an xDS server. */
export interface XdsPublisher extends Publisher {
  readonly source: ResourceSource;
  status(): XdsPublisherStatus;
  /** How every Istio object fares, by key. Costs work for each of them. */
  rules(): readonly RuleReport[];
  /**
   * The nodes, connected here or not, whose resources each of these objects (`<kind>/<namespace>/<name>`) has a part in, in their order.
   * Costs work for each object and each node that rules tell apart.
   */
  ruleUsers<Node extends NodeLike>(
    keys: readonly string[],
    nodes: readonly Node[],
  ): ReadonlyMap<string, readonly Node[]>;
}

/** Makes a publisher. It serves nothing before the bus gave it a snapshot. */
export function createXdsPublisher(options: XdsPublisherOptions): XdsPublisher {
  return new TranslatingPublisher(options);
}

interface Lease {
  readonly node: ProxyNode;
  /** Whether it may have secrets. */
  readonly trusted: boolean;
  /** Whether it gets virtual hosts one by one: for as long as the stream lasts, because a table must not change from one form to the other. */
  readonly vhds: boolean;
  readonly onChange: (changed: ChangedNames | undefined) => void;
  view: ResourceView | undefined;
}

/** The preparation of the first view of a kind, for the leases that wait for it. */
interface Preparation {
  readonly leases: Set<Lease>;
  readonly done: Promise<unknown>;
}

/** So many faults are shown. */
const maximumFaults = 100;

class TranslatingPublisher implements XdsPublisher {
  readonly name: string;
  readonly source: ResourceSource = {
    acquire: (node, onChange, peer, stream) => this.#acquire(node, onChange, peer, stream),
  };
  readonly #translator: Translator;
  readonly #logger: PublisherLogger | undefined;
  readonly #clock: { now(): number } | undefined;
  readonly #secrets: PublishedSecrets | undefined;
  readonly #vhds: boolean;
  readonly #onTranslated: (seconds: number) => void;
  readonly #slices: Slices;
  /** An event is being taken in: who comes meanwhile waits for the end of it, and so do secrets. */
  #taking = false;
  readonly #newcomers = new Set<Lease>();
  readonly #newSecrets = new Map<string, Credential | undefined>();
  /** Views that are being prepared or wait for it, by kind, in their order. */
  readonly #preparing = new Map<string, Preparation>();
  /** Leases whose views are prepared, and that wait for their turn. */
  #prepared: Lease[] = [];
  readonly #leases = new Set<Lease>();
  readonly #byView = new Map<ResourceView, Set<Lease>>();
  #faults: ReadonlyMap<string, string> = new Map();
  #lastTranslation: number | undefined;

  constructor(options: XdsPublisherOptions) {
    this.name = options.name;
    this.#translator = options.translator;
    this.#logger = options.logger;
    this.#clock = options.clock;
    this.#slices = new Slices(options.clock ?? { now: () => 0 });
    this.#secrets = options.secrets;
    this.#vhds = options.vhds ?? true;
    this.#onTranslated = (seconds) => options.onTranslated?.(seconds);
  }

  async run(bus: Pick<EventBus, "subscribe">, signal: AbortSignal): Promise<void> {
    const end = new AbortController();
    const stop = () => end.abort();
    signal.addEventListener("abort", stop, { once: true });
    if (signal.aborted) stop();
    try {
      const secrets = this.#secrets?.source.run((changes) => this.#takeSecrets(changes), end.signal);
      await Promise.all([secrets, this.#followAll(bus, signal).finally(stop)]);
    } finally {
      signal.removeEventListener("abort", stop);
    }
  }

  async #followAll(bus: Pick<EventBus, "subscribe">, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      const complete = await this.#follow(bus, signal);
      if (complete) return;
    }
  }

  /** Passes on what a proxy can use; of the rest, the last good form stays. */
  #takeSecrets(found: FoundSecrets): void {
    const usable = new Map<string, Credential | undefined>();
    for (const [secret, one] of found) {
      const credential = one && credentialOf(one.parts);
      const reason = credential && credentialFault(credential);
      if (reason === undefined) usable.set(secret, credential);
      else this.#logger?.error("secret-rejected", { secret, origin: one?.origin, reason });
    }
    this.#logger?.info("secrets-read", { changed: usable.size });
    for (const [secret, credential] of usable) this.#newSecrets.set(secret, credential);
    if (!this.#taking) atOnce(this.#showingSecrets());
  }

  *#showingSecrets(): Steps<undefined> {
    const changes = this.#translator.setSecrets(new Map(this.#newSecrets));
    this.#newSecrets.clear();
    this.#report(changes);
    yield* this.#telling(changes.views);
    return undefined;
  }

  /** Tells the holders of views which names changed, but for those who have another view by now. */
  *#telling(views: TranslationChanges["views"]): Steps<undefined> {
    for (const [view, names] of views) {
      for (const lease of [...(this.#byView.get(view) ?? [])]) {
        if (lease.view === view) this.#notify(lease, names);
        yield;
      }
    }
    return undefined;
  }

  status(): XdsPublisherStatus {
    return {
      name: this.name,
      revision: this.#translator.revision,
      services: this.#translator.services,
      clients: this.#leases.size,
      views: this.#byView.size,
      resources: this.#translator.resources(),
      lastTranslation: this.#lastTranslation,
      faults: new Map([...this.#faults].slice(0, maximumFaults)),
    };
  }

  rules(): readonly RuleReport[] {
    return this.#translator.rules();
  }

  ruleUsers<Node extends NodeLike>(
    keys: readonly string[],
    nodes: readonly Node[],
  ): ReadonlyMap<string, readonly Node[]> {
    const asked = new Map(nodes.map((node) => [parseNode(node), node]));
    const users = this.#translator.ruleUsers(keys, [...asked.keys()]);
    return new Map([...users].map(([key, found]) => [key, found.flatMap((one) => asked.get(one) ?? [])]));
  }

  /** False when an event was missing: a new subscription begins with a snapshot. */
  async #follow(bus: Pick<EventBus, "subscribe">, signal: AbortSignal): Promise<boolean> {
    for await (const event of bus.subscribe(this.name, signal)) {
      if (event.type === "delta" && !follows(event.previous, this.#translator.revision)) {
        this.#logger?.warn("bus-gap", { expected: this.#translator.revision, previous: event.previous });
        return false;
      }
      await this.#take(event);
    }
    return true;
  }

  /** Clients see the old state or the new one, however long the change takes. */
  async #take(event: ChangeEvent): Promise<void> {
    const started = this.#clock?.now();
    const first = this.#translator.revision === undefined;
    const changes = await this.#apply(event);
    if (started !== undefined) this.#timed((this.#clock?.now() ?? started) - started);
    this.#report(changes);
    const isMoved = ({ node }: Lease) => node.addresses.some((address) => changes.addresses.has(address));
    const due = new Set([...this.#leases].filter((lease) => first || changes.everyone || isMoved(lease)));
    for (const lease of this.#newcomers) due.add(lease);
    this.#newcomers.clear();
    for (const lease of due) {
      const preparing = this.#leases.has(lease) ? this.#prepareView(lease) : undefined;
      if (preparing !== undefined) await preparing;
    }
    await this.#inSlices(this.#moving(due));
    // Who hears of it first takes it over for all that share its view.
    if ([...changes.views.values()].some(isLargeChange)) await nextTurn();
    await this.#inSlices(this.#telling(changes.views));
    if (this.#newSecrets.size > 0) await this.#inSlices(this.#showingSecrets());
  }

  async #apply(event: ChangeEvent): Promise<TranslationChanges> {
    this.#taking = true;
    try {
      const prepared = await this.#inSlices(this.#translator.preparing(event));
      return await this.#inSlices(this.#translator.applying(event, prepared));
    } finally {
      this.#taking = false;
    }
  }

  /** Without a wait where it fits into this turn of the event loop: a lone change is told in it. */
  async #inSlices<T>(steps: Steps<T>): Promise<T> {
    const result = this.#slices.run(steps);
    return result instanceof Promise ? await result : result;
  }

  /** Gives each the view that is now its node's, and tells those for whom it is another one. */
  *#moving(leases: Iterable<Lease>): Steps<undefined> {
    for (const lease of leases) {
      if (this.#leases.has(lease) && this.#move(lease)) this.#notify(lease, undefined);
      yield;
    }
    return undefined;
  }

  #timed(milliseconds: number): void {
    // A clock that was set back gives no negative times.
    this.#lastTranslation = Math.max(0, milliseconds);
    this.#onTranslated(this.#lastTranslation / 1000);
  }

  #acquire(sent: NodeLike, onChange: Lease["onChange"], peer?: Peer, stream?: StreamFacts): ViewLease {
    const node = parseNode(sent);
    const vhds = this.#vhds && node.vhds && stream?.protocol === "delta" && stream.aggregated;
    const lease: Lease = { node, trusted: this.#isTrusted(sent, node, peer), vhds, onChange, view: undefined };
    this.#leases.add(lease);
    try {
      if (this.#taking) this.#newcomers.add(lease);
      else if (this.#translator.revision !== undefined) this.#serve(lease);
    } catch (error) {
      this.#leases.delete(lease);
      throw error;
    }
    return {
      current: () => lease.view,
      release: () => {
        if (!this.#leases.delete(lease)) return;
        this.#newcomers.delete(lease);
        for (const { leases } of this.#preparing.values()) leases.delete(lease);
        this.#leave(lease);
      },
    };
  }

  /** Gives a new lease its view: now, or in a later turn where it is the first of its kind and there is much to do for it. */
  #serve(lease: Lease): void {
    const preparing = this.#prepareView(lease);
    if (preparing === undefined) {
      this.#move(lease);
      return;
    }
    // What cannot be prepared may still be made.
    const serve = (): void => {
      this.#prepared.push(lease);
      if (this.#prepared.length === 1) void nextTurn().then(() => this.#inSlices(this.#serving()));
    };
    preparing.then(serve, serve);
  }

  /** Each still has a part of its view to be made that it shares with nobody. */
  *#serving(): Steps<undefined> {
    for (const lease of this.#prepared) {
      try {
        if (!this.#leases.has(lease)) continue;
        if (this.#taking) this.#newcomers.add(lease);
        else if (this.#move(lease)) this.#notify(lease, undefined);
      } catch (error) {
        this.#logger?.error("view-failed", { node: lease.node.id, error });
      }
      yield;
    }
    this.#prepared = [];
    return undefined;
  }

  /** Undefined where the view of the lease needs no preparation, or had it now. Leases of one kind wait for the same one, and kinds for each other. */
  #prepareView(lease: Lease): Promise<unknown> | undefined {
    const wanted = this.#translator.preparingView(lease.node, lease.trusted, lease.vhds);
    if (wanted === undefined) return undefined;
    const known = this.#preparing.get(wanted.kind);
    if (known !== undefined) {
      known.leases.add(lease);
      return known.done;
    }
    const leases = new Set([lease]);
    const steps = whileAny(leases, wanted.steps);
    const before = [...this.#preparing.values()].at(-1)?.done;
    const preparing = before === undefined ? this.#slices.run(steps) : before.then(() => this.#slices.run(steps));
    if (!(preparing instanceof Promise)) return undefined;
    const done = preparing.catch(() => {}).finally(() => this.#preparing.delete(wanted.kind));
    this.#preparing.set(wanted.kind, { leases, done });
    return done;
  }

  #isTrusted(sent: NodeLike, { id, namespace, type }: ProxyNode, peer: Peer | undefined): boolean {
    if (this.#secrets === undefined || peer === undefined || type !== "router") return false;
    const trusted = this.#secrets.mayHave(sent, peer);
    if (!trusted) this.#logger?.warn("secrets-withheld", { node: id, namespace, peer: peer.address });
    return trusted;
  }

  /** Gives the lease the view that is now its node's. True when it is another one. */
  #move(lease: Lease): boolean {
    const view = this.#translator.view(lease.node, lease.trusted, lease.vhds);
    if (view === lease.view) return false;
    const holders = this.#byView.get(view);
    if (holders === undefined) this.#byView.set(view, new Set([lease]));
    else holders.add(lease);
    this.#leave(lease);
    lease.view = view;
    return true;
  }

  #leave(lease: Lease): void {
    if (lease.view === undefined) return;
    const holders = this.#byView.get(lease.view);
    holders?.delete(lease);
    if (holders?.size === 0) {
      this.#byView.delete(lease.view);
      this.#translator.forget(lease.view);
    }
    lease.view = undefined;
  }

  #notify(lease: Lease, names: ChangedNames | undefined): void {
    try {
      lease.onChange(names);
    } catch (error) {
      this.#logger?.error("view-listener-failed", { node: lease.node.id, error });
    }
  }

  /** Remembers what fails now; a fault that is no longer told has passed. */
  #report({ faults }: TranslationChanges): void {
    const before = this.#faults;
    const now = new Map<string, string>();
    for (const { subject, cause, yielded } of faults) {
      if (now.has(subject)) continue;
      const reason = cause instanceof Error ? cause.message : String(cause);
      now.set(subject, reason);
      if (before.get(subject) === reason) continue;
      if (yielded === true) this.#logger?.warn("rule-part-left-out", { subject, reason });
      else this.#logger?.error("translation-failed", { subject, error: cause });
    }
    this.#faults = now;
  }
}

/** The steps, until nobody waits for them. */
function* whileAny(leases: ReadonlySet<unknown>, steps: Steps<undefined>): Steps<undefined> {
  try {
    while (leases.size > 0 && steps.next().done !== true) yield;
  } finally {
    steps.return(undefined);
  }
  return undefined;
}

function follows(previous: Revision, current: Revision | undefined): boolean {
  return current !== undefined && previous.epoch === current.epoch && previous.sequence === current.sequence;
}
