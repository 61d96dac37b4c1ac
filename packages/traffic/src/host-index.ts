import { isWildcard } from "./host-name.ts";

/** What stands under one host of an index. */
export interface HostMatch<V> {
  readonly host: string;
  readonly values: ReadonlySet<V>;
}

/** Values by hosts and wildcards, found by Istio's rule that the most specific host wins. Hosts are in lower case. */
export class HostIndex<V> {
  readonly #values = new Map<string, Set<V>>();
  /** How many wildcards there are of each length: only these suffixes of a name are looked up. */
  readonly #lengths = new Map<number, number>();
  #descending: readonly number[] | undefined;

  add(host: string, value: V): void {
    const values = this.#values.get(host);
    if (values !== undefined) {
      values.add(value);
      return;
    }
    this.#values.set(host, new Set([value]));
    if (isWildcard(host)) this.#count(host.length, 1);
  }

  delete(host: string, value: V): void {
    const values = this.#values.get(host);
    if (values?.delete(value) !== true || values.size > 0) return;
    this.#values.delete(host);
    if (isWildcard(host)) this.#count(host.length, -1);
  }

  /** What stands under exactly this host. */
  get(host: string): ReadonlySet<V> | undefined {
    return this.#values.get(host);
  }

  /** All hosts of the index. */
  hosts(): IterableIterator<string> {
    return this.#values.keys();
  }

  /** Whether nothing stands in the index. */
  get empty(): boolean {
    return this.#values.size === 0;
  }

  /** What covers a host, the most specific first: the host itself, then wildcards from the longest to the shortest. */
  *covering(host: string): Generator<HostMatch<V>, void, undefined> {
    const values = this.#values.get(host);
    if (values !== undefined) yield { host, values };
    this.#descending ??= [...this.#lengths.keys()].sort((a, b) => b - a);
    const name = isWildcard(host) ? host.slice(1) : host;
    for (const length of this.#descending) {
      const suffix = length - 1;
      if (suffix > name.length) continue;
      const wildcard = `*${name.slice(name.length - suffix)}`;
      if (wildcard === host) continue;
      const covered = this.#values.get(wildcard);
      if (covered !== undefined) yield { host: wildcard, values: covered };
    }
  }

  #count(length: number, by: number): void {
    const count = (this.#lengths.get(length) ?? 0) + by;
    if (count === 0) this.#lengths.delete(length);
    else this.#lengths.set(length, count);
    this.#descending = undefined;
  }
}
