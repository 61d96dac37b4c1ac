import type { ConfigObject, Labels, ObjectKey, ServiceKey, WorkloadKey } from "@signalbox/model";
import type { Problem, Registry, RegistryDeps } from "../registry.ts";

/** An instance as a world puts it into its source. */
export interface SourceInstance {
  /** A DNS label, unique within its service: the pod, the node, the instance id. The same name means the same instance. */
  readonly name: string;
  /** An IPv4 address. */
  readonly ip: string;
  /** The source's key-value data of an instance (labels, meta, metadata), which the adapter makes labels of. Default none. */
  readonly labels?: Labels;
}

/** A service as a world puts it into its source, in terms that every platform has. */
export interface SourceService {
  /** A DNS label, unique within the world. */
  readonly name: string;
  /** The one HTTP port on which all instances listen. */
  readonly port: number;
  readonly instances: readonly SourceInstance[];
}

/** What can be wrong with a service in a source. */
export type Malformation =
  /** Something that cannot be read as a service at all: a wrong type, a missing name, broken nested JSON. */
  | "object"
  /** A port beyond 65535. */
  | "port"
  /** A weight below 0, or one that is no integer. */
  | "weight"
  /** An endpoint whose address is no address. */
  | "address";

/**
 * A source (a folder, a fake server, a real server) in the hands of the suite. Each world starts empty, as the adapter sees
 * it: what else lives in a real server must be left out by the adapter's configuration. A change resolves once the
 * source has taken it; when the adapter notices is the adapter's affair.
 */
export interface SourceWorld {
  /** Creates the service, or replaces all of it. Resolves with the key under which the catalog must have it. */
  set(service: SourceService): Promise<ServiceKey>;
  /** Deletes the service from the source. */
  remove(name: string): Promise<void>;
  /**
   * Makes a source that is watched say something without news: a file rewritten with the same bytes, an index or a
   * resource version that moves on. Does nothing where the adapter polls: the suite lets time pass.
   */
  touch(): Promise<void>;
  /**
   * From now on every read fails in the way that the adapter must report as `problem`, and open watches end; until `mend`.
   * Called only with what `supports.problems` lists.
   */
  break(problem: Problem): Promise<void>;
  /** Ends what `break`, `truncate` and `stall` began. Does nothing on a source in good order. */
  mend(): Promise<void>;
  /** Restarts the source with what it holds: the server process, or new inodes for all files. Resolves when it is up. */
  restart(): Promise<void>;
  /** Puts a malformed service beside the others, and takes the last one away. Called only with what `supports.malformed` lists. */
  malform(kind: Malformation): Promise<void>;
  /** Lets go of everything, also after `break` and `stall`. The suite has ended its registries by then. */
  close(): Promise<void>;

  /** From now on reads are cut in the middle; until `mend`. Where `supports.truncation`. */
  truncate?(): Promise<void>;
  /** From now on reads begin and never end; until `mend`. Leave it out where a read cannot hang. */
  stall?(): Promise<void>;
  /**
   * Makes several changes that the adapter can see only together. With a fake server or a poll this means to
   * run them; with watched files, one rename. Leave it out where the source tells every change on its own.
   */
  together?(changes: () => Promise<void>): Promise<void>;
  /** Creates or replaces a workload with one address. Where `supports.workloads`. */
  setWorkload?(name: string, ip: string): Promise<WorkloadKey>;
  /** Deletes a workload. Where `supports.workloads`. */
  removeWorkload?(name: string): Promise<void>;
  /** Creates or replaces an Istio object (a valid VirtualService). Where `supports.objects`. */
  setObject?(object: Pick<ConfigObject, "kind" | "name" | "spec">): Promise<ObjectKey>;
  /** Deletes an Istio object. Where `supports.objects`. */
  removeObject?(key: ObjectKey): Promise<void>;
  /**
   * How many connections of the adapter the source has open now. Finds idle pooled sockets that a process in rest does not
   * show; leave it out where the source has no connections.
   */
  connections?(): Promise<number>;
  /** The secret (token, password) that the configuration of the adapter holds. Where `supports.secrets`. */
  readonly secret?: string;
}

/** What an adapter and its source can do. The suite tests both answers: what is not supported must not happen. */
export interface Supports {
  /** A change of one service is told as a delta; otherwise every update is a snapshot. */
  readonly deltas: boolean;
  readonly workloads: boolean;
  readonly objects: boolean;
  /** A read can be cut in the middle. */
  readonly truncation: boolean;
  /** The configuration of the adapter holds a secret. */
  readonly secrets: boolean;
  /** The source knows services without instances; otherwise the last instance takes its service away. */
  readonly emptyServices: boolean;
  /** The adapter tries again on its own by the clock; otherwise it is told by events (watched files). */
  readonly backoff: boolean;
  /** The problems that the world can cause; at least one. */
  readonly problems: readonly [Problem, ...Problem[]];
  /** The malformations that the source takes and gives back; a server may refuse some. */
  readonly malformed: readonly Malformation[];
  /** The label keys among `__proto__`, `constructor` and `toString` that the source can hold; at least one. */
  readonly labelKeys: readonly [string, ...string[]];
}

/** An adapter and the world that it is tested in. */
export interface RegistryUnderTest<W extends SourceWorld = SourceWorld> {
  /** Shown in the names of the tests. */
  readonly name: string;
  /** Makes an empty world. Two of them never live at the same time. */
  world(): Promise<W>;
  /**
   * Makes a registry that reads the world. All waiting of the adapter goes through `deps.clock`, which stands still until the
   * suite moves it: whenever an awaited update does not come and nothing was heard for `quietMs`, the next sleeper is
   * woken. So intervals may be as long as in production.
   */
  create(world: W, deps: RegistryDeps): Registry;
  readonly supports: Supports;
  /** Real milliseconds that anything awaited may take. Default 5000. */
  readonly deadlineMs?: number;
  /** Real milliseconds of silence after which time may pass: longer than one read takes. Default 20. */
  readonly quietMs?: number;
}
