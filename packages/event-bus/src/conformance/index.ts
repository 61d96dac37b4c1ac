export { describeEventBus } from "./suite.ts";
export type { BusWorld, EventBusSuite } from "./world.ts";
