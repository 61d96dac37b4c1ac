export { MemoryEngine, MemoryServer } from "./memory-engine.ts";
export { describeEventBus } from "./suite.ts";
export type { EngineCall, EngineFault } from "./memory-engine.ts";
export type { BusWorld, EventBusSuite } from "./world.ts";
