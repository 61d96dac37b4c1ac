import { Counter, Gauge, Histogram, Registry } from "prom-client";
import { metricCatalogue } from "./metric-catalogue.ts";
import type { MetricDefinition, MetricName } from "./metric-catalogue.ts";

/** The metrics of the catalogue, made once and found by name. */
export class Instruments {
  readonly registry = new Registry();
  readonly #counters = new Map<string, Counter>();
  readonly #gauges = new Map<string, Gauge>();
  readonly #histograms = new Map<string, Histogram>();

  constructor() {
    for (const definition of metricCatalogue) this.#make(definition);
  }

  /** Adds to a counter. Throws a TypeError if the catalogue has no such counter. */
  count(name: MetricName, labels: Readonly<Record<string, string>> = {}, value = 1): void {
    found(this.#counters, name).inc(labels, value);
  }

  /** Sets a gauge. */
  set(name: MetricName, value: number, labels: Readonly<Record<string, string>> = {}): void {
    found(this.#gauges, name).set(labels, value);
  }

  /** Forgets all series of a gauge or counter, so that what is gone does not stay at its last value. */
  reset(name: MetricName): void {
    (this.#gauges.get(name) ?? found(this.#counters, name)).reset();
  }

  /** Observes a value. */
  observe(name: MetricName, value: number, labels: Readonly<Record<string, string>> = {}): void {
    found(this.#histograms, name).observe(labels, value);
  }

  #make({ name, type, help, labels, buckets }: MetricDefinition): void {
    const registers = [this.registry];
    const labelNames = [...labels];
    switch (type) {
      case "counter":
        this.#counters.set(name, new Counter({ name, help, labelNames, registers }));
        break;
      case "gauge":
        this.#gauges.set(name, new Gauge({ name, help, labelNames, registers }));
        break;
      case "histogram":
        this.#histograms.set(name, new Histogram({ name, help, labelNames, registers, buckets: [...(buckets ?? [])] }));
        break;
    }
  }
}

function found<T>(metrics: ReadonlyMap<string, T>, name: string): T {
  const metric = metrics.get(name);
  if (metric === undefined) throw new TypeError(`the catalogue has no such metric of this type: ${name}`);
  return metric;
}
