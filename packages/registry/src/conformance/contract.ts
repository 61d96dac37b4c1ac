import { dataPoints } from "./points-data.ts";
import { endPoints } from "./points-end.ts";
import { failurePoints } from "./points-failure.ts";
import { statePoints } from "./points-state.ts";
import type { ContractPoint } from "./point.ts";

/** The contract between a registry and the rest of Signalbox, point by point. */
export const registryContract: readonly ContractPoint[] = [
  ...statePoints,
  ...failurePoints,
  ...endPoints,
  ...dataPoints,
].sort((left, right) => left.number - right.number);
