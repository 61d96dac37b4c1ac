export { createApi } from "./api.ts";
export type { Api, ApiOptions } from "./api.ts";
export type { AnswerOf } from "./answer-types.ts";
export type { ApiAnswer, ApiRequest } from "./request.ts";
export type {
  AcceptedWrite,
  ApiSources,
  DriftRow,
  GuardDecision,
  GuardStatus,
  JournalRow,
  MigrationSides,
  MigrationView,
  OptionalSource,
  RampStatus,
  SourceView,
  WithdrawalsView,
  Written,
} from "./sources.ts";
