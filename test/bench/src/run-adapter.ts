import { subscribe } from "node:diagnostics_channel";
import { consulModule } from "@signalbox/adapter-consul";
import { eurekaModule } from "@signalbox/adapter-eureka";
import { kubernetesModule } from "@signalbox/adapter-kubernetes";
import { createAggregate } from "@signalbox/aggregate";
import { createInProcessBus, type ChangeEvent, type EventBus } from "@signalbox/event-bus";
import type { CatalogEntry } from "@signalbox/model";
import { createTranslator, createXdsPublisher } from "@signalbox/xds";
import { createXdsServer } from "@signalbox/xds-server";
import { noMetrics, systemClock, type Logger, type Registry, type RegistryDeps } from "@signalbox/registry";
import { collected } from "./collected.ts";
import { isNewHome } from "./fleet.ts";
import type { HeapAnswer, MeasuredTask, Poll, Question } from "./messages.ts";
import { say } from "./say.ts";
import type { SourceName } from "./sources/source.ts";
import { cpuMs, now } from "./time.ts";

const create: Readonly<Record<SourceName, (config: unknown, deps: RegistryDeps) => Registry>> = {
  consul: (config, deps) => consulModule.create(consulModule.parseConfig(config), deps),
  eureka: (config, deps) => eurekaModule.create(eurekaModule.parseConfig(config), deps),
  kubernetes: (config, deps) => kubernetesModule.create(kubernetesModule.parseConfig(config), deps),
};

/** Runs adapter, aggregate and bus until the signal aborts, and tells the parent what it asks for and what it waits for. */
export async function runAdapter(
  { source, config, serve = false }: Extract<MeasuredTask, { type: "adapter" }>,
  signal: AbortSignal,
): Promise<void> {
  const before = collected().heapUsed;
  const answers: Readonly<Record<Question, () => void>> = {
    heap: () => say(heapAnswer(before)),
    cpu: () => say({ type: "cpu", at: now(), ms: cpuMs() }),
  };
  process.on("message", (question: Question) => answers[question]());
  const lastPoll = source === "eureka" ? watchPolls() : () => undefined;
  const start = { at: now(), cpu: cpuMs() };
  const deps = { name: "bench", logger: told, clock: systemClock, metrics: noMetrics, baseDir: process.cwd() };
  const bus = createInProcessBus();
  const aggregate = createAggregate({ bus, registries: [create[source](config, deps)], syncDeadlineMs: 600_000 });
  const port = serve ? await serveProxies(bus, signal) : undefined;
  const running = aggregate.run(signal);
  for await (const event of bus.subscribe("bench", signal)) tellOf(event, start, lastPoll, port);
  await running;
}

/** Serves the catalog to proxies until the signal aborts. Resolves with the port. */
async function serveProxies(bus: Pick<EventBus, "subscribe">, signal: AbortSignal): Promise<number | undefined> {
  const publisher = createXdsPublisher({ name: "xds", translator: createTranslator() });
  const server = createXdsServer({ source: publisher.source, plaintext: { port: 0 } });
  const { plaintext } = await server.listen();
  signal.addEventListener("abort", () => void server.close(), { once: true });
  publisher.run(bus, signal).catch((error: unknown) => {
    throw error;
  });
  return plaintext?.port;
}

function tellOf(
  event: ChangeEvent,
  start: { readonly at: number; readonly cpu: number },
  lastPoll: () => Poll | undefined,
  port: number | undefined,
): void {
  const at = now();
  if (event.type === "snapshot") {
    let instances = 0;
    for (const entry of event.catalog.entries.values()) instances += entry.instances.length;
    const services = event.catalog.entries.size;
    say({ type: "synced", services, instances, ms: at - start.at, cpuMs: cpuMs() - start.cpu, ...(port && { port }) });
    return;
  }
  const addresses = event.delta.entries.upserted.flatMap(newHomesIn);
  const poll = lastPoll();
  if (addresses.length > 0) say({ type: "moved", at, addresses, ...(poll && { poll }) });
}

function newHomesIn({ instances }: CatalogEntry): readonly string[] {
  return instances.flatMap(({ addresses: [first] }) => (first.type === "ip" && isNewHome(first.ip) ? [first.ip] : []));
}

/** Notes when polls are sent and answered, as undici tells everybody who listens. */
function watchPolls(): () => Poll | undefined {
  const sent = new WeakMap<object, number>();
  let last: Poll | undefined;
  subscribe("undici:request:create", (message) => {
    sent.set((message as { readonly request: object }).request, now());
  });
  subscribe("undici:request:trailers", (message) => {
    const sentAt = sent.get((message as { readonly request: object }).request);
    if (sentAt !== undefined) last = { sentAt, answeredAt: now() };
  });
  return () => last;
}

function heapAnswer(before: number): HeapAnswer {
  const { external, heapUsed: used, rss } = collected();
  return { type: "heap", used, before, external, rss };
}

/** What goes wrong would make the figures wrong, so it is shown. */
const told: Logger = {
  debug() {},
  info() {},
  warn: (event, fields) => complain(event, fields),
  error: (event, fields) => complain(event, fields),
};

function complain(event: string, fields: object | undefined): void {
  process.stderr.write(`the adapter says: ${event} ${JSON.stringify(fields ?? {})}\n`);
}
