import type { Catalog } from "@signalbox/model";

/** What one client was sent and what it made of it, for one resource type. */
export interface SubscriptionView {
  /** `type.googleapis.com/…`. */
  readonly resourceType: string;
  readonly wildcard: boolean;
  /** Number of names subscribed to explicitly. */
  readonly names: number;
  readonly sentVersion?: string;
  readonly sentNonce?: string;
  /** Epoch milliseconds. */
  readonly sentAt?: number;
  readonly ackedVersion?: string;
  readonly ackedNonce?: string;
  /** Epoch milliseconds. */
  readonly ackedAt?: number;
  /** The client's words on the last response it refused; absent once it accepted a later one. */
  readonly error?: string;
}

/** One connected xDS client. `ClientStatus` of `@signalbox/xds-server` has this shape. */
export interface ClientView {
  /** Number of the stream, unique in this process. */
  readonly stream: number;
  /** `address:port`. */
  readonly peer: string;
  readonly identities: readonly string[];
  readonly method: string;
  readonly protocol: "sotw" | "delta";
  readonly nodeId: string;
  readonly nodeCluster: string;
  /** Node metadata as JSON data. */
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly userAgent: string;
  /** Epoch milliseconds. */
  readonly connectedAt: number;
  readonly subscriptions: readonly SubscriptionView[];
}

/** One registry. `RegistryStatus` of `@signalbox/aggregate` has this shape. */
export interface RegistryView {
  /** `<provider>/<name>`. */
  readonly id: string;
  /** `INIT`, `RESTORED`, `SYNCED`, `STALE` or `EXPIRED`. */
  readonly state: string;
  /** `UNREACHABLE`, `AUTH_FAILED` or `PROTOCOL_ERROR`; absent while the source can be read. */
  readonly problem?: string;
  readonly services: number;
  /** Epoch milliseconds. */
  readonly lastCompleteRead?: number;
  /** Age of the last complete read, in milliseconds. */
  readonly ageMs?: number;
  /** What it said is expired and left out of the catalog. */
  readonly withheld?: true;
  /** What it said is expired, and its endpoints come after those of other registries. */
  readonly deprioritised?: true;
  readonly lastError?: Error;
  /** How often its run was started again after it ended by itself. */
  readonly restarts?: number;
}

/** The bus between the catalog and its publishers, as one process sees it. `LogBusStatus` of `@signalbox/event-bus` has this shape. */
export interface BusView {
  /** The revision that this process's consumers are led to. */
  readonly revision?: { readonly epoch: string; readonly sequence: number };
  /** Whether this process is the writer, as far as it knows. */
  readonly led: boolean;
  /** The consumers in this process, with the number of changed keys that wait for each. */
  readonly consumers: readonly { readonly name: string; readonly pending: number }[];
  /** How far this process is in reading from an engine: `idle`, `waiting`, `loading`, `following` or `unreachable`. */
  readonly follower?: string;
  /** Why the engine cannot be used now. */
  readonly error?: string;
}

/** How many endpoints of a service the workloads judge alike. `DriftCount` of `@signalbox/policy` has this shape. */
export interface DriftCountView {
  /** `<namespace>/<hostname>`. */
  readonly service: string;
  readonly registry: string;
  /** For example `CONFIRMED` or `GHOST`. */
  readonly verdict: string;
  readonly count: number;
}

/** A guard that holds something. `GuardStatus` of `@signalbox/policy` has this shape. */
export interface GuardView {
  readonly registry: string;
  /** `source` or `service`. */
  readonly scope: string;
  readonly held: { readonly endpoints: number };
}

/** What was decided about the catalog. `Decisions` of `@signalbox/aggregate` has this shape. */
export interface DecisionsView {
  /** Costs work for every endpoint that is checked. `shows` says which verdicts are wanted one by one, besides the counts. */
  drift(shows: (verdict: string) => boolean): { readonly counts: readonly DriftCountView[] };
  guards(): readonly GuardView[];
  /** People's overrides that hold now. */
  overrides(): readonly object[];
  /** Services that could not have the name they want. */
  collisions(): readonly object[];
  /** How withdrawals of ghosts are; `undefined` where registries are told nothing. */
  withdrawals(): { readonly stopped?: object } | undefined;
}

/** The journal of the catalog. */
export interface JournalView {
  /** Sequence number of the newest entry. */
  readonly seq: number;
  /** Entries lost since the program started. */
  readonly lost: number;
  /** Bytes of all that is kept. */
  readonly bytes: number;
  /** Why nothing can be written now; absent while it can. */
  readonly degraded?: { readonly message: string };
}

/** One condition of readiness. */
export interface ReadinessCheck {
  /** For example `catalog` or `xds`. */
  readonly name: string;
  readonly ready: boolean;
  /** Why it is not ready, for people. */
  readonly reason?: string;
  /** What else people should know, for example that a registry's content is old. Does not count for readiness. */
  readonly note?: string;
}

/** How one Istio object fares. `RuleReport` of `@signalbox/xds` has this shape. */
export interface RuleView {
  /** `<kind>/<namespace>/<name>`. */
  readonly key: string;
  /** False where the newest form cannot be used; the last good one, if there was one, stays in force. */
  readonly accepted: boolean;
  /** Whether a form of it decides what clients get. */
  readonly inForce: boolean;
  readonly errors: readonly string[];
  readonly warnings: readonly string[];
  /** What of it cannot be put into resources now. */
  readonly faults: readonly string[];
}

/** Something that objects say together and cannot mean. `RuleFinding` of `@signalbox/traffic` has this shape. */
export interface FindingView {
  /** One of istioctl's codes, for example `IST0101`. */
  readonly code: string;
  /** `error`, `warning` or `info`. */
  readonly level: string;
  /** `<kind>/<namespace>/<name>`. */
  readonly object: string;
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** What this program is. */
export interface VersionView {
  readonly version: string;
  /** For example a commit. */
  readonly revision?: string;
}

/** What part of a configuration dump is wanted. */
export interface ConfigDumpRequest {
  /** Type URLs; `undefined` asks for all, in the order of Envoy's own dump. */
  readonly types: readonly string[] | undefined;
  /** Whether endpoints belong to it. Envoy's default is no. */
  readonly includeEds: boolean;
}

/**
 * Where the debug pages get what they show. The composition root gives the stages' status methods in; the pages only read.
 * Nothing a source returns may hold a secret: private keys and tokens are taken out before.
 */
export interface DebugSources {
  readonly version: VersionView;
  /** Called before a page is made, with its path: time to ask other processes for what it shows. A failure is not the page's. */
  refresh?(path: string): Promise<void>;
  /** Empty means ready. */
  readiness(): readonly ReadinessCheck[];
  /** The catalog as it is now; `undefined` before there is one. */
  catalog(): Catalog | undefined;
  registries(): readonly RegistryView[];
  /** The bus. Without it there is no page about it. */
  bus?(): BusView;
  /** What was decided about the catalog; `undefined` where another process decides. */
  decisions?(): DecisionsView | undefined;
  /** The journal; `undefined` where there is none, or none yet. */
  journal?(): JournalView | undefined;
  clients(): readonly ClientView[];
  /** Names that a stream subscribed to, by type URL. Without it the pages show only how many there are. */
  watchedNames?(stream: number): ReadonlyMap<string, readonly string[]>;
  /** What this client would be sent now, as the JSON form of Envoy's `admin.v3.ConfigDump`; `undefined` while nothing is known for it. */
  configDump?(client: ClientView, request: ConfigDumpRequest): Promise<object | undefined>;
  /** How every Istio object fares; `undefined` where this process makes no resources of them. Costs work for each of them. */
  rules?(): readonly RuleView[] | undefined;
  /** Of these clients, those that use each of these objects, in their order. */
  ruleUsers?(keys: readonly string[], clients: readonly ClientView[]): ReadonlyMap<string, readonly ClientView[]>;
  /** What the objects of the catalog say together and cannot mean; `undefined` before there is a catalog. Costs work for the whole of it. */
  analysis?(): readonly FindingView[] | undefined;
  /** The MeshConfig in force, as JSON data. */
  mesh?(): object;
}
