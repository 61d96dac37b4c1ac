import type { TypeUrl } from "@signalbox/envoy-api";
import type { Steps } from "@signalbox/slices";
import type { ResourceView } from "../resource.ts";
import { TypeState } from "./view-state.ts";

/** The states of all views in use. Streams whose leases give the same view object share one. */
export class ViewStates {
  readonly #states = new WeakMap<ResourceView, Map<TypeUrl, TypeState>>();

  acquire(view: ResourceView, type: TypeUrl): TypeState {
    return this.#acquire(view, type);
  }

  /** The same, of which much is done in steps where no stream uses the state. Nothing is held before the last. */
  *acquireInSteps(view: ResourceView, type: TypeUrl): Steps<TypeState> {
    if (this.has(view, type)) return this.#acquire(view, type);
    const made = new TypeState(view, type);
    yield* made.fill();
    return this.#acquire(view, type, made);
  }

  #acquire(view: ResourceView, type: TypeUrl, made?: TypeState): TypeState {
    let types = this.#states.get(view);
    if (types === undefined) {
      types = new Map();
      this.#states.set(view, types);
    }
    let state = types.get(type);
    if (state === undefined) {
      state = made ?? new TypeState(view, type);
      types.set(type, state);
    }
    state.sync();
    state.uses++;
    return state;
  }

  /** Whether some stream uses the state of this type. */
  has(view: ResourceView, type: TypeUrl): boolean {
    return this.#states.get(view)?.has(type) === true;
  }

  release(view: ResourceView, state: TypeState): void {
    state.uses--;
    if (state.uses === 0) this.#states.get(view)?.delete(state.type);
  }
}
