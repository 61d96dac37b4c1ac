import { LimitExceededError } from "./request.ts";

/** One stream, as the budget sees it. */
export interface NameHolder {
  /** The same object for all streams of one connection. */
  readonly connection: object;
  /** What its names cost: names that it shares with others cost it its part. */
  nameCost(): number;
  /** Ends the stream. */
  refuse(error: LimitExceededError): void;
}

/** Bounds of a budget. */
export interface NameBudgetLimits {
  readonly maxConnectionNames: number;
  readonly maxTotalNames: number;
}

/**
 * Bounds the names of one connection and of all. A connection that passes its own bound pays for that itself. When all
 * together pass theirs, the connection that asks for most pays, whoever spoke last.
 */
export class NameBudget {
  readonly #limits: NameBudgetLimits;
  readonly #holders: () => Iterable<NameHolder>;
  readonly #total: () => number;
  readonly #connections = new WeakMap<object, number>();

  /** `total` counts the names in memory, `holders` are the open streams. */
  constructor(limits: NameBudgetLimits, total: () => number, holders: () => Iterable<NameHolder>) {
    this.#limits = limits;
    this.#total = total;
    this.#holders = holders;
  }

  /** A stream of this connection has `more` names (or fewer, when negative). Throws LimitExceededError past the bound. */
  change(connection: object, more: number): void {
    const count = (this.#connections.get(connection) ?? 0) + more;
    this.#connections.set(connection, count);
    const { maxConnectionNames } = this.#limits;
    if (more > 0 && count > maxConnectionNames) {
      throw new LimitExceededError(`more than ${maxConnectionNames} resource names on one connection`);
    }
  }

  /** Ends streams until the total fits. When several are equal, `asking` pays first. */
  fit(asking: NameHolder): void {
    const { maxTotalNames } = this.#limits;
    while (this.#total() > maxTotalNames) {
      const payer = this.#mostCostly(asking);
      payer.refuse(new LimitExceededError(`more than ${maxTotalNames} resource names subscribed on this server`));
      if (payer === asking) return;
    }
  }

  /** The stream that costs most on the connection that costs most. */
  #mostCostly(asking: NameHolder): NameHolder {
    const costs = new Map<object, { total: number; most: number; holder: NameHolder }>();
    for (const holder of [asking, ...this.#holders()]) {
      if (holder === asking && costs.size > 0) continue;
      const cost = holder.nameCost();
      const known = costs.get(holder.connection);
      if (known === undefined) costs.set(holder.connection, { total: cost, most: cost, holder });
      else {
        known.total += cost;
        if (cost > known.most) Object.assign(known, { most: cost, holder });
      }
    }
    let payer = { total: -1, holder: asking };
    for (const candidate of costs.values()) if (candidate.total > payer.total) payer = candidate;
    return payer.holder;
  }
}
