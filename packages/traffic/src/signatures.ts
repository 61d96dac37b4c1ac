import { byCodeUnit, canonicalJson, contentHash, type Labels } from "@signalbox/model";
import type { Client } from "./client.ts";
import { placeText } from "./destination-rule/destination-rules.ts";
import type { PlaceNeed } from "./destination-rule/place.ts";
import { selects } from "./labels.ts";

/** What decides among clients of one namespace and kind which rules they get. */
export interface Terms {
  readonly selectors: Iterable<Labels>;
  readonly place: PlaceNeed;
}

interface Known {
  readonly selectors: readonly Labels[];
  readonly place: PlaceNeed;
  /** Names what decides, so that a text never means another thing after the rules changed. */
  readonly name: string;
}

/** Gives clients that the rules do not tell apart one text. */
export class Signatures {
  readonly #terms: (namespace: string, kind: Client["kind"]) => Terms;
  readonly #known = new Map<string, Known>();

  constructor(terms: (namespace: string, kind: Client["kind"]) => Terms) {
    this.#terms = terms;
  }

  /** What decides is another now. */
  forget(): void {
    this.#known.clear();
  }

  /** What `RuleBook.signature` promises. */
  of(client: Client): string {
    const { name, place, selectors } = this.#knownFor(client);
    const bits = selectors.map((selector) => (selects(selector, client.labels) ? "1" : "0")).join("");
    const parts = [client.kind === "router" ? "router" : "", bits, placeText(client, place)];
    return parts.some((part) => part !== "") ? [...parts, name].join(";") : "";
  }

  #knownFor({ namespace, kind }: Client): Known {
    const key = `${kind}/${namespace}`;
    let known = this.#known.get(key);
    if (known === undefined) {
      const { selectors, place } = this.#terms(namespace, kind);
      const distinct = new Map<string, Labels>();
      for (const labels of selectors) if (Object.keys(labels).length > 0) distinct.set(canonicalJson(labels), labels);
      const inOrder = [...distinct].sort(([a], [b]) => byCodeUnit(a, b));
      const name = contentHash([inOrder.map(([text]) => text), place]);
      known = { selectors: inOrder.map(([, labels]) => labels), place, name };
      this.#known.set(key, known);
    }
    return known;
  }
}
