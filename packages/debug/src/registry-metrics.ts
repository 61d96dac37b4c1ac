import { byCodeUnit } from "@signalbox/model";
import { Counter, Histogram } from "prom-client";
import type { Registry } from "prom-client";

/** What a registry records with. `Metrics` of `@signalbox/registry` has this shape. */
export interface RegistryMetrics {
  /** Adds 1 to a counter. */
  counter(name: string, labels?: Readonly<Record<string, string>>): void;
  /** Observes one value. */
  histogram(name: string, value: number, labels?: Readonly<Record<string, string>>): void;
}

/** Upper bounds, in seconds: a lag may be minutes. */
const buckets = [0.005, 0.01, 0.05, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
const maxMetrics = 100;
const maxSeries = 1000;

interface Dynamic {
  readonly metric: Counter | Histogram;
  readonly labelNames: readonly string[];
  readonly series: Set<string>;
}

/**
 * Metrics whose names the registries choose. The first use of a name decides its type and labels. Bounded: what does not
 * fit (a bad name, other labels, too many series) is dropped and counted, never thrown at the registry.
 */
export class RegistryMetricsFactory {
  readonly #registry: Registry;
  readonly #dropped: () => void;
  readonly #metrics = new Map<string, Dynamic>();

  constructor(registry: Registry, dropped: () => void) {
    this.#registry = registry;
    this.#dropped = dropped;
  }

  /** Metrics of one registry: names get the prefix `signalbox_`, counters the suffix `_total`, all the label `registry`. */
  forRegistry(id: string): RegistryMetrics {
    return {
      counter: (name, labels = {}) => {
        const full = `signalbox_${name.endsWith("_total") ? name : `${name}_total`}`;
        const found = this.#find(
          full,
          id,
          labels,
          (labelNames, help) => new Counter({ name: full, help, labelNames, registers: [this.#registry] }),
        );
        if (found?.metric instanceof Counter) found.metric.inc({ ...labels, registry: id });
        else this.#dropped();
      },
      histogram: (name, value, labels = {}) => {
        const full = `signalbox_${name}`;
        const found = this.#find(
          full,
          id,
          labels,
          (labelNames, help) => new Histogram({ name: full, help, labelNames, buckets, registers: [this.#registry] }),
        );
        if (found?.metric instanceof Histogram && Number.isFinite(value))
          found.metric.observe({ ...labels, registry: id }, value);
        else this.#dropped();
      },
    };
  }

  #find(
    name: string,
    id: string,
    labels: Readonly<Record<string, string>>,
    make: (labelNames: string[], help: string) => Counter | Histogram,
  ): Dynamic | undefined {
    const names = Object.keys(labels).sort(byCodeUnit);
    let dynamic = this.#metrics.get(name);
    if (dynamic === undefined) {
      const isSound = [...names, name].every((text) => /^[a-z_][a-z0-9_]*$/.test(text)) && !names.includes("registry");
      // A name of the catalogue is not theirs to use.
      const isTaken = this.#registry.getSingleMetric(name) !== undefined;
      if (!isSound || isTaken || names.includes("le") || this.#metrics.size >= maxMetrics) return undefined;
      const metric = make(
        [...names, "registry"],
        "Recorded by registries; docs/reference/metrics.md says what it means.",
      );
      dynamic = { metric, labelNames: names, series: new Set() };
      this.#metrics.set(name, dynamic);
    }
    if (names.join() !== dynamic.labelNames.join()) return undefined;
    const series = JSON.stringify([id, ...names.map((label) => labels[label])]);
    if (!dynamic.series.has(series) && dynamic.series.size >= maxSeries) return undefined;
    dynamic.series.add(series);
    return dynamic;
  }
}
