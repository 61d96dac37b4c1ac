export { Slices, type Steps } from "./slices.ts";
