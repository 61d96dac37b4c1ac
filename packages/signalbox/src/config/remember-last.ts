/**
 * The same function with a memory: of the last `size` different questions the answers are known, and of never more than twice as many. What is
 * asked about, such as services, may come and go for ever.
 */
export function rememberLast<K, V extends object>(size: number, answer: (question: K) => V): (question: K) => V {
  let young = new Map<K, V>();
  let old: ReadonlyMap<K, V> = new Map();
  return (question) => {
    const known = young.get(question);
    if (known !== undefined) return known;
    const found = old.get(question) ?? answer(question);
    if (young.size >= size) {
      old = young;
      young = new Map();
    }
    young.set(question, found);
    return found;
  };
}
