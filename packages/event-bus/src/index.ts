export { BusClosedError, FencedError } from "./bus.ts";
export { decodeEvent, encodeEvent, EVENT_VERSION, EventFormatError, EventVersionError } from "./codec.ts";
export { isEmptyDelta, mergeDeltas } from "./delta.ts";
export { CatalogFold, foldEvent, GapError, sameRevision } from "./fold.ts";
export { createInProcessBus } from "./in-process-bus.ts";
export type { BusWriter, EventBus } from "./bus.ts";
export type { ChangeEvent } from "./event.ts";
export type { InProcessBus, InProcessBusOptions, InProcessBusStatus } from "./in-process-bus.ts";
