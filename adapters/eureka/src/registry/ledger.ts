import type { EurekaInstance } from "../client/answer.ts";
import type { EurekaConfig } from "../config.ts";
import type { Deletion, PeerView } from "./peer.ts";

/** What changed in the ledger. */
export interface LedgerChange {
  /** The instance before and now; absent where there was or is none. */
  readonly before?: EurekaInstance;
  readonly now?: EurekaInstance;
}

/** An instance that is kept although the source no longer lists it. */
interface Missing {
  /** What a server said of it first, believed or not; absent where it is missing without a word. */
  word: Deletion | undefined;
  /** A server said that it was deleted, and that counts; otherwise it is as good as missing without a word. */
  said: boolean;
  /** It left a server that tells no deletions, among few, while that server was read without a break. */
  readonly calm: boolean;
  /** Time of the first good read without it. */
  readonly since: number;
  /** Good reads without it. */
  reads: number;
}

/**
 * What the source is believed to hold. Additions and changes are believed at once. Losses are not, because a server that
 * restarted, or lost sight of its clients, lists too little and calls it everything:
 *
 * - a deletion that a server tells is believed at once, or, where more than `maxShrink` of all go together, after
 *   `confirmReads` good reads in a row. Leases that ran out are no such deletion where the server could not be heard all
 *   the time, or where several of them are among so many: the server may have been what failed. They are as good as
 *   missing without a word;
 * - what is missing without a word is believed to be lost after `holdSeconds` of good reads without it, and no failed one
 *   in between. Where the server tells no deletions at all, was read without a break, and at most `maxShrink` are missing,
 *   `confirmReads` reads do;
 * - what another server still lists is not lost.
 */
export class Ledger {
  readonly #policy: EurekaConfig["losses"];
  readonly #held = new Map<string, EurekaInstance>();
  readonly #missing = new Map<string, Missing>();

  constructor(policy: EurekaConfig["losses"]) {
    this.#policy = policy;
  }

  /** All that the source is believed to hold, by key. */
  get held(): ReadonlyMap<string, EurekaInstance> {
    return this.#held;
  }

  /** How many instances are kept that the last good read did not list. */
  get missing(): number {
    return this.#missing.size;
  }

  /** Takes what was in force before the first read, to be judged by it and those after it. Returns what is different now. */
  adopt(instances: ReadonlyMap<string, EurekaInstance>): readonly LedgerChange[] {
    const changes: LedgerChange[] = [];
    for (const [key, instance] of instances) if (!this.#held.has(key)) this.#put(key, instance, changes);
    return changes;
  }

  /** A read failed: silence before and after it does not add up. */
  interrupted(): void {
    for (const [key, { said }] of this.#missing) if (!said) this.#missing.delete(key);
  }

  /** Keys that the view lacks. */
  lackedBy(view: Pick<PeerView, "instances">): readonly string[] {
    const lacked: string[] = [];
    for (const key of this.#held.keys()) if (!view.instances.has(key)) lacked.push(key);
    return lacked;
  }

  /** Whether another server should be asked before these losses are believed. */
  isDoubtful(view: PeerView): boolean {
    const lacked = this.lackedBy(view);
    return this.#isMass(lacked.length) || lacked.some((key) => !isTold(view.deleted.get(key)) && !this.#wasSaid(key));
  }

  /** Takes a good read, and what other servers said at the same time. Returns what is different now. */
  settle(view: PeerView, others: readonly PeerView[], now: number): readonly LedgerChange[] {
    const changes: LedgerChange[] = [];
    const lacked = this.lackedBy(view);
    const mass = this.#isMass(lacked.length);
    const calm = !view.tellsDeletions && view.contiguous && !mass && !this.#isSuspicious();
    for (const [key, instance] of view.instances) this.#put(key, instance, changes);
    const isLapse = (deletion: Deletion | undefined): boolean => deletion === "lapsed" || deletion === "unheard";
    const lapses = mass && lacked.filter((key) => isLapse(view.deleted.get(key))).length > 1 ? "many" : "few";
    for (const key of lacked) {
      const elsewhere = others.find(({ instances }) => instances.has(key))?.instances.get(key);
      if (elsewhere !== undefined) {
        this.#put(key, elsewhere, changes);
        continue;
      }
      const missing = this.#missing.get(key) ?? { word: undefined, said: false, calm, since: now, reads: 0 };
      for (const { deleted } of [view, ...others]) hear(missing, deleted.get(key), lapses);
      missing.reads++;
      this.#missing.set(key, missing);
      if (this.#isLost(missing, mass, now)) this.#drop(key, changes);
    }
    for (const other of others) {
      // What only another server knows, and no server deleted, exists: it was registered there.
      for (const [key, instance] of other.instances) {
        if (!this.#held.has(key) && !isTold(view.deleted.get(key))) this.#put(key, instance, changes);
      }
    }
    return changes;
  }

  #isLost({ said, calm, since, reads }: Missing, mass: boolean, now: number): boolean {
    const { confirmReads, holdSeconds } = this.#policy;
    if (said && !mass) return true;
    if (reads < confirmReads) return false;
    return said || calm || now - since >= holdSeconds * 1000;
  }

  #isMass(lost: number): boolean {
    return lost > this.#policy.maxShrink * this.#held.size;
  }

  #wasSaid(key: string): boolean {
    return this.#missing.get(key)?.said ?? false;
  }

  /** Whether the source is already known to list too little. */
  #isSuspicious(): boolean {
    return [...this.#missing.values()].some(({ said, calm }) => !said && !calm);
  }

  #put(key: string, now: EurekaInstance, changes: LedgerChange[]): void {
    this.#missing.delete(key);
    const before = this.#held.get(key);
    if (before === now) return;
    this.#held.set(key, now);
    changes.push(before === undefined ? { now } : { before, now });
  }

  #drop(key: string, changes: LedgerChange[]): void {
    const before = this.#held.get(key);
    this.#held.delete(key);
    this.#missing.delete(key);
    if (before !== undefined) changes.push({ before });
  }
}

/** Whether what a server says of an instance is enough, unless many leases ran out together. */
function isTold(deletion: Deletion | undefined): boolean {
  return deletion === "said" || deletion === "lapsed";
}

/** Takes what a server says of a missing instance. Of a lease that ran out the first word counts, because it is repeated for minutes. */
function hear(missing: Missing, deletion: Deletion | undefined, lapses: "few" | "many"): void {
  if (deletion === "said") missing.said = true;
  else if (deletion === "lapsed" && missing.word === undefined && lapses === "few") missing.said = true;
  missing.word ??= deletion;
}
