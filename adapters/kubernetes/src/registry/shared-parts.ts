import type { KubePod } from "../convert/objects.ts";

/** Values that are remembered. Those of pods long gone must not gather without a bound. */
const maximum = 10_000;

type Alike = Pick<KubePod, "labels" | "ports" | "namedPorts" | "owner" | "serviceAccount">;

/** Gives equal parts of pods as one: pods of one deployment are alike, and thousands of copies would be most of the memory. */
export class SharedParts {
  readonly #alike = new Map<string, Alike>();
  readonly #nodes = new Map<string, string>();

  /** The pod with parts that others have as well. */
  in(pod: KubePod): KubePod {
    const { labels, ports, namedPorts, owner, serviceAccount } = pod;
    const text = JSON.stringify([labels, ports, [...namedPorts], owner, serviceAccount]);
    const alike = remembered(this.#alike, text, () => ({ labels, ports, namedPorts, owner, serviceAccount }));
    return {
      namespace: pod.namespace,
      name: pod.name,
      version: pod.version,
      labels: alike.labels,
      addresses: pod.addresses,
      hostNetwork: pod.hostNetwork,
      ports: alike.ports,
      namedPorts: alike.namedPorts,
      phase: pod.phase,
      owner: alike.owner,
      serviceAccount: alike.serviceAccount,
      node: remembered(this.#nodes, pod.node, () => pod.node),
      startedAt: pod.startedAt,
    };
  }
}

function remembered<T>(known: Map<string, T>, key: string, make: () => T): T {
  const before = known.get(key);
  if (before !== undefined) return before;
  if (known.size >= maximum) known.clear();
  const made = make();
  known.set(key, made);
  return made;
}
