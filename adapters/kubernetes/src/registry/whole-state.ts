import { byCodeUnit, serviceKey } from "@signalbox/model";
import type { Delta, ServiceKey, ServiceRecord, Workload, WorkloadKey } from "@signalbox/model";
import type { RegistryUpdate } from "@signalbox/registry";
import type { NamespaceChoice } from "../config.ts";
import type { ConvertContext } from "../convert.ts";
import { ClusterState } from "./cluster-state.ts";
import { IstioState, type IstioChange } from "./istio-state.ts";

/**
 * All objects of one cluster: Kubernetes' own and Istio's. A Service counts more than a ServiceEntry of its host in its namespace, a Pod more
 * than a WorkloadEntry of its name.
 */
export class WholeState {
  readonly kube: ClusterState;
  readonly istio: IstioState;
  readonly #cluster: string;
  readonly #follows: boolean;

  /** `onError` is told of an object whose conversion failed; what it was before stays. By default the error is thrown. */
  constructor(context: ConvertContext, choice: NamespaceChoice, onError?: (object: string, error: unknown) => void) {
    this.kube = new ClusterState(context, choice, onError);
    this.istio = new IstioState(context.cluster, onError);
    this.#cluster = context.cluster;
    this.#follows = choice.selector !== undefined;
  }

  /** All that is true now, and nothing is dirty any more. */
  snapshot(): Extract<RegistryUpdate, { type: "snapshot" }> {
    const { records, workloads = [] } = this.kube.snapshot();
    this.#takeIstio();
    const { objects } = this.istio;
    const moreRecords = [...this.istio.records].filter(([key]) => !this.#hasService(key));
    const moreWorkloads = [...this.istio.workloads].filter(([key]) => !this.#hasPod(key));
    return {
      type: "snapshot",
      records: [...records, ...inOrder(moreRecords)],
      workloads: [...workloads, ...inOrder(moreWorkloads)],
      ...(objects.length === 0 ? {} : { objects }),
    };
  }

  /** What changed since the last `take` or `snapshot`; `undefined` where nothing did. */
  take(): RegistryUpdate | undefined {
    const update = this.kube.take();
    const kube = update?.type === "delta" ? update : undefined;
    const istio = this.#takeIstio();
    const records = this.#records(kube?.records, istio.records);
    const workloads = this.#workloads(kube?.workloads, istio.workloads);
    const { objects } = istio;
    if (isEmpty(records) && isEmpty(workloads) && isEmpty(objects)) return undefined;
    return {
      type: "delta",
      ...(isEmpty(records) ? {} : { records }),
      ...(isEmpty(workloads) ? {} : { workloads }),
      ...(isEmpty(objects) ? {} : { objects }),
    };
  }

  #takeIstio(): IstioChange {
    // Labels of namespaces change unseen by objects in them.
    if (this.#follows) this.istio.touchAll();
    return this.istio.take((namespace) => this.kube.isChosen(namespace));
  }

  #records(
    { upserted, removed }: Delta<ServiceKey, ServiceRecord> = { upserted: [], removed: [] },
    istio: Delta<ServiceKey, ServiceRecord>,
  ): Delta<ServiceKey, ServiceRecord> {
    const shown = new Map(istio.upserted.map((record) => [serviceKey(record.service), record]));
    for (const key of removed) {
      const hidden = this.istio.records.get(key);
      if (hidden !== undefined) shown.set(key, hidden);
    }
    return joined(upserted, removed, shown, istio.removed, (key) => this.#hasService(key));
  }

  #workloads(
    { upserted, removed }: Delta<WorkloadKey, Workload> = { upserted: [], removed: [] },
    istio: Delta<WorkloadKey, Workload>,
  ): Delta<WorkloadKey, Workload> {
    const shown = new Map(istio.upserted.map((workload) => [workload.key, workload]));
    for (const key of removed) {
      const hidden = this.istio.workloads.get(key);
      if (hidden !== undefined) shown.set(key, hidden);
    }
    return joined(upserted, removed, shown, istio.removed, (key) => this.#hasPod(key));
  }

  #hasService(key: ServiceKey): boolean {
    const slash = key.indexOf("/");
    return this.kube.hasRecord(key.slice(0, slash), key.slice(slash + 1));
  }

  #hasPod(key: WorkloadKey): boolean {
    return this.kube.hasWorkload(key.slice(this.#cluster.length + 1));
  }
}

/** What both say: the first hides of the second what it has itself, and shows it again when it goes. */
function joined<K extends string, V>(
  upserted: readonly V[],
  removed: readonly K[],
  shown: ReadonlyMap<K, V>,
  gone: readonly K[],
  isHidden: (key: K) => boolean,
): Delta<K, V> {
  const more = [...shown].filter(([key]) => !isHidden(key));
  const less = [...removed, ...gone].filter((key) => !shown.has(key) && !isHidden(key));
  return { upserted: [...upserted, ...inOrder(more)], removed: [...new Set(less)] };
}

function isEmpty({ upserted, removed }: Delta<string, unknown>): boolean {
  return upserted.length + removed.length === 0;
}

function inOrder<V>(entries: readonly (readonly [string, V])[]): readonly V[] {
  return [...entries].sort(([a], [b]) => byCodeUnit(a, b)).map(([, value]) => value);
}
