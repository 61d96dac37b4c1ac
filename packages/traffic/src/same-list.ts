interface Node<V> {
  readonly next: WeakMap<object, Node<V>>;
  value: { readonly of: V } | undefined;
}

/** Remembers what was made of a list of objects: the same objects in the same order give the same result. It keeps none of them alive. */
export class SameList<K extends object, V> {
  readonly #root: Node<V> = { next: new WeakMap(), value: undefined };

  of(list: readonly K[], make: () => V): V {
    let node = this.#root;
    for (const member of list) {
      let next = node.next.get(member);
      if (next === undefined) {
        next = { next: new WeakMap(), value: undefined };
        node.next.set(member, next);
      }
      node = next;
    }
    node.value ??= { of: make() };
    return node.value.of;
  }
}
