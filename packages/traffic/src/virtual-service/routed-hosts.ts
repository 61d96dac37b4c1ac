import { byCodeUnit } from "@signalbox/model";

/** Hosts once each, sorted. */
export function sorted(hosts: Iterable<string>): readonly string[] {
  return [...new Set(hosts)].sort(byCodeUnit);
}

/** Lists of hosts: those that all clients have, with those that some have besides. Equal lists are the same object. */
export class RoutedHosts {
  readonly #lists = new Map<string, readonly string[]>();

  /** The hosts that are common have changed. */
  forget(): void {
    this.#lists.clear();
  }

  /** `more` is sorted and has none of the common ones. */
  of(common: Iterable<string>, more: readonly string[]): readonly string[] {
    const key = more.join();
    let list = this.#lists.get(key);
    if (list === undefined) {
      list = sorted([...common, ...more]);
      this.#lists.set(key, list);
    }
    return list;
  }
}
