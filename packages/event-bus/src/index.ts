export { FencedError } from "./bus.ts";
export type { BusWriter, EventBus } from "./bus.ts";
export type { ChangeEvent } from "./event.ts";
