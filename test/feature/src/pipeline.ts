import { createAggregate } from "@signalbox/aggregate";
import { createInProcessBus } from "@signalbox/event-bus";
import type { ServiceRecord } from "@signalbox/model";
import { noMetrics, silentLogger, systemClock } from "@signalbox/registry";
import { MemoryRegistry, MemorySource } from "@signalbox/registry/conformance";
import { createTranslator, createXdsPublisher } from "@signalbox/xds";
import { createXdsServer, type XdsEvent } from "@signalbox/xds-server";

/** All stages, real, in this process: registry, aggregate, bus, translator, publisher and xDS server on a free port. */
export async function startPipeline(records: readonly ServiceRecord[]) {
  const stop = new AbortController();
  const source = new MemorySource();
  for (const record of records) source.set(record);
  const deps = { name: "test", logger: silentLogger, clock: systemClock, metrics: noMetrics, baseDir: "." };
  const registry = new MemoryRegistry(source, deps);
  const bus = createInProcessBus();
  const aggregate = createAggregate({ bus, registries: [registry], debounce: { quietMs: 5, maxMs: 50 } });
  const publisher = createXdsPublisher({ name: "xds", translator: createTranslator({}) });
  const events: XdsEvent[] = [];
  const server = createXdsServer({
    source: publisher.source,
    plaintext: { port: 0 },
    onEvent: (event) => events.push(event),
  });
  const { plaintext } = await server.listen();
  if (plaintext === undefined) throw new Error("no port");
  const running = [aggregate.run(stop.signal), publisher.run(bus, stop.signal)];
  await aggregate.synced(stop.signal);
  return {
    source,
    aggregate,
    events,
    port: plaintext.port,
    async stop(): Promise<void> {
      stop.abort();
      await Promise.all(running);
      await server.close();
      await bus.close();
    },
  };
}
