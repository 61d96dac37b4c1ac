export { atOnce, Slices, type Steps } from "./slices.ts";
