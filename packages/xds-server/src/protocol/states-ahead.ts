import { typeUrls, type TypeUrl } from "@signalbox/envoy-api";
import type { Steps } from "@signalbox/slices";
import type { ResourceView } from "../resource.ts";
import type { Turns } from "../turns.ts";
import type { TypeState } from "./view-state.ts";
import type { ViewStates } from "./view-states.ts";

/** What nearly every client asks for. */
const probableTypes: readonly TypeUrl[] = [typeUrls.cluster, typeUrls.endpoint, typeUrls.listener, typeUrls.route];

/**
 * Makes the states of types that a client will probably ask for, each in a turn of its own: with ten thousand resources of each type, the
 * first requests would have much to do at once. Where some stream has them already there is nothing to make.
 */
export class StatesAhead {
  readonly #views: ViewStates;
  readonly #turns: Turns;
  #view: ResourceView | undefined;
  #states: TypeState[] = [];

  constructor(views: ViewStates, turns: Turns) {
    this.#views = views;
    this.#turns = turns;
  }

  /** Holds the states of this view from now on, and lets go of those of the one before. `undefined`: of none. */
  follow(view: ResourceView | undefined): void {
    const before = this.#view;
    if (before !== undefined) for (const state of this.#states) this.#views.release(before, state);
    this.#states = [];
    this.#view = view;
    if (view === undefined) return;
    for (const type of probableTypes) {
      this.#turns.later(() => {
        if (this.#view === view && !this.#views.has(view, type)) this.#turns.finish(this.#make(view, type));
      });
    }
  }

  *#make(view: ResourceView, type: TypeUrl): Steps<undefined> {
    yield* this.#views.prepare(view, type);
    if (this.#view === view) this.#states.push(this.#views.acquire(view, type));
    return undefined;
  }
}
