import type { z } from "zod";
import type { RefusalCode } from "./failure.ts";
import type { SchemaName, schemas } from "./schemas.ts";
import type { AcceptedWrite, ApiSources, Awaitable, OptionalSource } from "./sources.ts";
import { ApiRefusal } from "./failure.ts";

/** What a route may use. */
export interface RouteContext {
  readonly sources: ApiSources;
  /** Epoch milliseconds. */
  readonly now: number;
  /** What to configure for a source that is absent, for people. */
  readonly hints: Readonly<Partial<Record<OptionalSource, string>>>;
  /** Writes to the journal what was accepted. */
  readonly accepted: (write: Omit<AcceptedWrite, "at" | "remote">) => Promise<void>;
  readonly document: () => object;
}

/** A route with the types of its parts. */
interface Definition<Query extends z.ZodRawShape, Body extends z.ZodRawShape, Name extends SchemaName> {
  /** Everything but GET changes state. */
  readonly method: "GET" | "POST" | "DELETE";
  /** `{name}` is one segment; the last one takes slashes too. */
  readonly path: string;
  /** Unique; the name of the function in clients that are made of the document. */
  readonly operation: string;
  readonly summary: string;
  readonly query: Query;
  /** Absent: a body is not read. */
  readonly body?: Body;
  readonly answer: Name;
  /** 200 where absent. */
  readonly status?: 201;
  /** What it refuses beyond what all routes of its method refuse. */
  readonly refuses: readonly RefusalCode[];
  readonly handle: (
    input: {
      readonly parameters: Readonly<Record<string, string>>;
      readonly query: z.output<z.ZodObject<Query>>;
      readonly body: z.output<z.ZodObject<Body>>;
    },
    context: RouteContext,
  ) => Awaitable<z.input<(typeof schemas)[Name]>>;
}

/** One route: it is served, and described in the document, as it stands here. */
export interface Route extends Omit<Definition<z.ZodRawShape, z.ZodRawShape, SchemaName>, "handle"> {
  readonly handle: (
    input: {
      readonly parameters: Readonly<Record<string, string>>;
      readonly query: object;
      readonly body: object;
    },
    context: RouteContext,
  ) => Awaitable<unknown>;
}

/** Makes a route. The server hands `handle` only what the schemas of query and body let pass. */
export function route<Query extends z.ZodRawShape, Body extends z.ZodRawShape, Name extends SchemaName>(
  definition: Definition<Query, Body, Name>,
): Route {
  return definition as unknown as Route;
}

/** The sources, of which `name` is there; throws SBX_NOT_CONFIGURED where it is not. */
export function configured<Name extends OptionalSource>(
  { hints, sources }: RouteContext,
  name: Name,
): ApiSources & Required<Pick<ApiSources, Name>> {
  if (sources[name] === undefined)
    throw new ApiRefusal("SBX_NOT_CONFIGURED", hints[name] ?? defaultHints[name], { missing: name });
  return sources as ApiSources & Required<Pick<ApiSources, Name>>;
}

const defaultHints: Readonly<Record<OptionalSource, string>> = {
  drift: "No registry is compared with workloads: configure drift.",
  guards: "No source is guarded: configure a guard.",
  decideGuard: "No source is guarded: configure a guard.",
  withdrawals: "No registry is told of ghosts: configure drift.withdraw.",
  resumeWithdrawals: "No registry is told of ghosts: configure drift.withdraw.",
  overrides: "This process takes no overrides: ask one that reads the registries.",
  addOverride: "This process takes no overrides: ask one that reads the registries.",
  removeOverride: "This process takes no overrides: ask one that reads the registries.",
  migration: "This process makes no migration reports: ask one that reads the registries.",
  rampAction: "No service moves by a ramp: configure one.",
  journal: "No journal is kept: configure one.",
};
