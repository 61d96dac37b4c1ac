import type { ConfigObject } from "@signalbox/model";

/** An Istio object whose `spec` was read. The same content gives the same object for as long as it does not change. */
export interface Rule<Spec> {
  /** `<kind>/<namespace>/<name>`. */
  readonly key: string;
  readonly object: ConfigObject;
  readonly spec: Spec;
}
