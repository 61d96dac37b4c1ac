import type { Labels } from "@signalbox/model";

/** Structured log: an event name in kebab-case and its fields. Never a secret. */
export interface Logger {
  /** False: `debug` does nothing, so that nobody need make up what it would say. */
  readonly debugEnabled?: boolean;
  debug(event: string, fields?: object): void;
  info(event: string, fields?: object): void;
  warn(event: string, fields?: object): void;
  error(event: string, fields?: object): void;
}

/** Metrics of a registry. Names without the `signalbox_` prefix; the composition root adds it and the `registry` label. */
export interface Metrics {
  /** Adds 1 to a counter. */
  counter(name: string, labels?: Labels): void;
  /** Observes one value. */
  histogram(name: string, value: number, labels?: Labels): void;
}

/** A logger that says nothing. */
export const silentLogger: Logger = { debugEnabled: false, debug() {}, info() {}, warn() {}, error() {} };

/** Metrics that nobody reads. */
export const noMetrics: Metrics = { counter() {}, histogram() {} };
