import type { TypeUrl } from "@signalbox/envoy-api";
import type { Steps } from "@signalbox/slices";
import type { Resource, ResourceView } from "../resource.ts";
import { isLargeChange, type ChangedNames } from "../source.ts";
import type { SessionShared } from "./session-shared.ts";
import type { Subscription } from "./subscription.ts";

/** A change of the view, as it was when the stream heard of it. */
interface ViewChange {
  /** `undefined`: the view is another one. */
  readonly changed: ChangedNames | undefined;
  /** Content of what is gone, by type; `undefined` while the states of the types are still to be brought up to the change. */
  readonly removed: ReadonlyMap<TypeUrl, ReadonlyMap<string, Resource>> | undefined;
  readonly number: number;
  readonly now: number;
}

/** The stream whose view changes. */
export interface ViewChangesOwner {
  readonly subscriptions: ReadonlyMap<TypeUrl, Subscription>;
  /** The view now. */
  view(): ResourceView | undefined;
  /** Its subscriptions are about to change. */
  begin(): void;
  /** They move to this view. */
  moveTo(view: ResourceView | undefined): void;
}

/** The view is another one. */
function isMove({ changed }: ViewChange): boolean {
  return changed === undefined;
}

/**
 * Changes of its view that a stream heard of, and takes into its subscriptions when it is its turn: there may be ten thousand names
 * for a thousand streams. In steps, between which nobody else may touch the subscriptions.
 */
export class ViewChanges {
  readonly #owner: ViewChangesOwner;
  readonly #shared: Pick<SessionShared, "clock" | "inSlices" | "views">;
  /** Oldest first. */
  #unread: ViewChange[] = [];
  /** The steps that take in those that were there last. */
  #taking: Steps<undefined> | undefined;
  #ended = false;
  #count = 0;

  constructor(owner: ViewChangesOwner, shared: Pick<SessionShared, "clock" | "inSlices" | "views">) {
    this.#owner = owner;
    this.#shared = shared;
  }

  /** The number of the last one. */
  get latest(): number {
    return this.#count;
  }

  /** Whether any are to be taken in. */
  get waiting(): boolean {
    return this.#taking !== undefined || this.#unread.length > 0;
  }

  /** Whether there is much to take in before the stream goes on. */
  get isMuch(): boolean {
    if (!this.#shared.inSlices) return false;
    return (
      this.#taking !== undefined || this.#unread.some(({ changed }) => changed === undefined || isLargeChange(changed))
    );
  }

  /** Notes a change. Returns whether it is much to take in. */
  add(changed: ChangedNames | undefined): boolean {
    const much = this.#shared.inSlices && (changed === undefined || isLargeChange(changed));
    // What comes behind much that is to be taken in waits for it, so that states follow in the order of the changes.
    const removed = much || this.isMuch ? undefined : this.#sync(changed);
    this.#unread.push({ changed, removed, number: ++this.#count, now: this.#shared.clock.now() });
    return much;
  }

  /** What all streams of the view share follows it at once, by whichever stream hears of the change first. */
  #sync(changed: ChangedNames | undefined): NonNullable<ViewChange["removed"]> {
    const removed = new Map<TypeUrl, ReadonlyMap<string, Resource>>();
    for (const [type, names] of changed ?? []) {
      const state = this.#owner.subscriptions.get(type)?.state;
      if (state === undefined) continue;
      state.sync(names);
      removed.set(type, state.removed);
    }
    return removed;
  }

  /** Takes in what there is, until there is nothing more: whoever needs it does the next step. */
  *takeIn(): Steps<undefined> {
    while (!this.#ended && this.waiting) {
      this.#taking ??= this.#takingIn(this.#unread.splice(0));
      if (this.#taking.next().done === true) this.#taking = undefined;
      else yield;
    }
    return undefined;
  }

  *#takingIn(changes: readonly ViewChange[]): Steps<undefined> {
    this.#owner.begin();
    const lastMove = changes.findLastIndex(isMove);
    for (const [at, { changed, removed, number, now }] of changes.entries()) {
      if (changed === undefined) yield* this.#moving(number, now);
      for (const [type, names] of changed ?? []) {
        const sub = this.#owner.subscriptions.get(type);
        if (sub?.state === undefined) continue;
        const gone = removed === undefined ? yield* sub.state.syncing(names) : removed.get(type);
        // Of a view that it left the stream heard no more than what it takes in here.
        if (at > lastMove && !this.#unread.some(isMove)) sub.heard();
        yield* sub.changing(names, number, now, gone);
      }
    }
    return undefined;
  }

  /** The view is another one, or was for a while: who came back was not told of what changed meanwhile. */
  *#moving(number: number, now: number): Steps<undefined> {
    const { views } = this.#shared;
    const view = this.#owner.view();
    this.#owner.moveTo(view);
    for (const sub of this.#owner.subscriptions.values()) {
      if (view !== undefined) yield* views.prepare(view, sub.kind.type);
      yield* sub.moving(view, views, number, now);
    }
    return undefined;
  }

  /** The stream has ended: nothing more is taken in. */
  end(): void {
    this.#ended = true;
    this.#unread = [];
  }
}
