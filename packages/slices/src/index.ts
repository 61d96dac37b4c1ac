export { LoopTurn, thisLoop } from "./loop-turn.ts";
export { atOnce, each, Slices, type Steps } from "./slices.ts";
