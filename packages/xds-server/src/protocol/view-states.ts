import type { TypeUrl } from "@signalbox/envoy-api";
import type { Steps } from "@signalbox/slices";
import type { ResourceView } from "../resource.ts";
import { JointWork } from "./joint-work.ts";
import { TypeState } from "./view-state.ts";

/** The states of all views in use. Streams whose leases give the same view object share one. */
export class ViewStates {
  readonly #states = new WeakMap<ResourceView, Map<TypeUrl, TypeState>>();
  /** States that nobody uses yet. */
  readonly #making = new WeakMap<ResourceView, Map<TypeUrl, JointWork<TypeState>>>();

  acquire(view: ResourceView, type: TypeUrl): TypeState {
    return this.#acquire(view, type);
  }

  /**
   * The same, of which much is done in steps where no stream uses the state: whoever asks for it does the next step. Nothing
   * is held before the last.
   */
  *acquireInSteps(view: ResourceView, type: TypeUrl): Steps<TypeState> {
    if (this.has(view, type)) return this.#acquire(view, type);
    let types = this.#making.get(view);
    if (types === undefined) this.#making.set(view, (types = new Map<TypeUrl, JointWork<TypeState>>()));
    let making = types.get(type);
    if (making === undefined) types.set(type, (making = new JointWork(filled(view, type))));
    return this.#acquire(view, type, yield* making.take());
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
      // Also when it was not finished: there is no use for it any more.
      this.#making.get(view)?.delete(type);
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

function* filled(view: ResourceView, type: TypeUrl): Steps<TypeState> {
  const state = new TypeState(view, type);
  yield* state.fill();
  return state;
}
