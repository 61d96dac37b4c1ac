import { setTimeout as pause } from "node:timers/promises";
import { createAggregate } from "@signalbox/aggregate";
import { createInProcessBus, type ChangeEvent } from "@signalbox/event-bus";
import { registryId, type HealthStatus, type RegistryId, type ServiceRecord } from "@signalbox/model";
import type { Registry, RegistrySink } from "@signalbox/registry";
import { plainRecord } from "../plain-record.ts";
import { median, quantile } from "../statistics.ts";
import { cpuMs, now } from "../time.ts";

/** How large the catalog is, and how long it is measured. */
export interface CatalogTask {
  readonly services: number;
  readonly instances: number;
  readonly changes: number;
  readonly quietSeconds: number;
}

/** What was found. Times are in milliseconds. */
export interface CatalogFigures {
  /** From the snapshot of the registry to the event with all services. */
  readonly first: number;
  /** CPU time in the quiet time, in percent of a core. */
  readonly idle: number;
  readonly changeMedian: number;
  readonly changeP99: number;
  /** CPU time of a change. */
  readonly changeCpu: number;
  /** Services that went through the stages for one change, at most. */
  readonly touched: number;
}

/** Two changes that come closer are gathered. */
const restMs = 100;

/** Has an aggregate make a catalog of what one registry says, and changes the health of one endpoint again and again. */
export async function measureCatalog(task: CatalogTask, signal: AbortSignal): Promise<CatalogFigures> {
  const end = new AbortController();
  const stop = AbortSignal.any([signal, end.signal]);
  const bus = createInProcessBus();
  const source = new Source();
  let staged = 0;
  const aggregate = createAggregate({ bus, registries: [source], onStaged: () => (staged += 1) });
  const events = bus.subscribe("bench", stop)[Symbol.asyncIterator]() as AsyncIterator<ChangeEvent, undefined>;
  const running = aggregate.run(stop);
  try {
    const sink = await source.sink;
    const records = Array.from({ length: task.services }, (_, index) => recordOf(source.id, index, task, "HEALTHY"));
    const began = now();
    sink.push({ type: "snapshot", records });
    const { value } = await events.next();
    const first = now() - began;
    const found = value?.type === "snapshot" ? value.catalog.entries.size : 0;
    if (found !== task.services) throw new Error(`the first event has ${found} of ${task.services} services`);

    await pause(1000, undefined, { signal });
    const before = cpuMs();
    await pause(task.quietSeconds * 1000, undefined, { signal });
    const idle = (cpuMs() - before) / (task.quietSeconds * 10);

    const times: number[] = [];
    const costs: number[] = [];
    let touched = 0;
    for (let change = 0; change < task.changes; change++) {
      await pause(restMs, undefined, { signal });
      // Each service in its turn, and back again in the next round.
      const round = Math.floor(change / task.services);
      const record = recordOf(source.id, change % task.services, task, round % 2 === 0 ? "UNHEALTHY" : "HEALTHY");
      staged = 0;
      const [start, cpu] = [now(), cpuMs()];
      sink.push({ type: "delta", records: { upserted: [record], removed: [] } });
      const event = await events.next();
      times.push(now() - start);
      costs.push(cpuMs() - cpu);
      touched = Math.max(touched, staged);
      const told = event.value?.type === "delta" ? event.value.delta.entries.upserted.length : 0;
      if (told !== 1) throw new Error(`a change of one service was told as one of ${told}`);
    }
    return {
      ...{ first, idle, touched },
      changeMedian: median(times),
      changeP99: quantile(times, 0.99),
      changeCpu: median(costs),
    };
  } finally {
    end.abort();
    await running;
  }
}

/** A registry that says what it is told to. */
class Source implements Registry {
  readonly id: RegistryId = registryId("bench", "one");
  readonly sink: Promise<RegistrySink>;
  #ready: (sink: RegistrySink) => void = () => {};

  constructor() {
    this.sink = new Promise((resolve) => (this.#ready = resolve));
  }

  async run(sink: RegistrySink, signal: AbortSignal): Promise<void> {
    this.#ready(sink);
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }
}

function recordOf(
  registry: RegistryId,
  index: number,
  { instances }: CatalogTask,
  firstHealth: HealthStatus,
): ServiceRecord {
  return plainRecord({
    registry,
    hostname: `service-${index}.shop.svc.cluster.local`,
    namespace: "shop",
    instances: Array.from({ length: instances }, (_, at) => {
      const host = index * instances + at;
      const ip = `10.${(host >> 16) & 255}.${(host >> 8) & 255}.${host & 255}`;
      return { id: ip, ip, port: 8080, version: "v1", ...(at === 0 && { healthStatus: firstHealth }) };
    }),
  });
}
