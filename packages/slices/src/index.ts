export { atOnce, each, Slices, type Steps } from "./slices.ts";
