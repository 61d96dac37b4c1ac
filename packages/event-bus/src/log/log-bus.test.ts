import { describeEventBus } from "../conformance/index.ts";
import { MemoryEngine, MemoryServer } from "../conformance/memory-engine.ts";
import { createLogBus } from "./log-bus.ts";
import type { LogBus, LogBusOptions } from "./log-bus.ts";

function suite(name: string, options: LogBusOptions, histories: number, arrange: (server: MemoryServer) => void): void {
  describeEventBus({
    name,
    create: () => {
      const server = new MemoryServer();
      arrange(server);
      const opened: LogBus[] = [];
      const open = (): LogBus => {
        const bus = createLogBus(new MemoryEngine(server), options);
        opened.push(bus);
        return bus;
      };
      return Promise.resolve({
        bus: open(),
        another: () => Promise.resolve(open()),
        depose: () => {
          server.depose();
          return Promise.resolve();
        },
        subscriptions: () => opened.reduce((sum, bus) => sum + bus.status().consumers.length, 0),
      });
    },
    histories,
  });
}

suite("over an engine", {}, 50, () => undefined);
suite("over an engine that takes small frames only", { limits: { partBytes: 1, batchBytes: 1 } }, 20, (server) => {
  server.maxFrameBytes = 100;
});
suite("over an engine, compacting all the time", { limits: { compactAfterBytes: 0 } }, 50, () => undefined);
