/** Values by IP address, as a `Map` has them, for very many addresses: it grows in small pieces, while a `Map` copies all that it holds at once. */
export class AddressMap<V> {
  readonly #parts: Map<string, V>[] = [];

  get(address: string): V | undefined {
    return this.#parts[partOf(address)]?.get(address);
  }

  set(address: string, value: V): void {
    (this.#parts[partOf(address)] ??= new Map<string, V>()).set(address, value);
  }

  delete(address: string): void {
    this.#parts[partOf(address)]?.delete(address);
  }
}

/** IP addresses, as a `Set` has them; as in `AddressMap`. */
export class AddressSet {
  readonly #parts: Set<string>[] = [];

  add(address: string): void {
    (this.#parts[partOf(address)] ??= new Set<string>()).add(address);
  }

  has(address: string): boolean {
    return this.#parts[partOf(address)]?.has(address) === true;
  }
}

const partCount = 16;

/** Addresses that are next to each other are in different parts. */
function partOf(address: string): number {
  const { length } = address;
  // Of an empty text there is no code.
  return length === 0
    ? 0
    : (7 * address.charCodeAt(length - 1) + address.charCodeAt(Math.max(0, length - 2))) % partCount;
}
