import type { TypeUrl } from "@signalbox/envoy-api";
import type { Steps } from "@signalbox/slices";
import type { ResourceView } from "../resource.ts";
import { JointWork } from "./joint-work.ts";
import { TypeState } from "./view-state.ts";

/** A state that nobody uses yet, and what is left to do of it. */
interface Prepared {
  readonly state: TypeState;
  readonly work: JointWork<undefined>;
}

/** The states of all views in use. Streams whose leases give the same view object share one. */
export class ViewStates {
  readonly #states = new WeakMap<ResourceView, Map<TypeUrl, TypeState>>();
  readonly #prepared = new WeakMap<ResourceView, Map<TypeUrl, Prepared>>();

  /** The state of a type, which is held until it is released. */
  acquire(view: ResourceView, type: TypeUrl): TypeState {
    let types = this.#states.get(view);
    if (types === undefined) this.#states.set(view, (types = new Map<TypeUrl, TypeState>()));
    let state = types.get(type);
    if (state === undefined) {
      state = this.#prepared.get(view)?.get(type)?.state ?? new TypeState(view, type);
      this.#prepared.get(view)?.delete(type);
      types.set(type, state);
    }
    state.sync();
    state.uses++;
    return state;
  }

  /**
   * Does most of what `acquire` has to do for a state that no stream uses, in steps: whoever asks for it does the next one.
   * Nothing is held.
   */
  *prepare(view: ResourceView, type: TypeUrl): Steps<undefined> {
    // A type without resources may be any text that a client sends.
    if (this.has(view, type) || view.resources(type).size === 0) return undefined;
    let types = this.#prepared.get(view);
    if (types === undefined) this.#prepared.set(view, (types = new Map<TypeUrl, Prepared>()));
    let prepared = types.get(type);
    if (prepared === undefined) {
      const state = new TypeState(view, type);
      types.set(type, (prepared = { state, work: new JointWork(state.fill()) }));
    }
    return yield* prepared.work.take();
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
