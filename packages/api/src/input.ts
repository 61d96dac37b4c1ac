import { didYouMean } from "@signalbox/model";
import { z } from "zod";
import { ApiRefusal } from "./failure.ts";
import { headerOf } from "./request.ts";
import type { ApiRequest } from "./request.ts";

/** Bytes that a body may have. */
export const largestBody = 16 * 1024;

/** What is wrong with one member of a body or one parameter of a query. */
interface Fault {
  readonly field: string;
  readonly problem: string;
}

/** The query's parameters, checked; throws SBX_QUERY with what is wrong with each. `pretty` is for the writer of the answer. */
export function readQuery<Shape extends z.ZodRawShape>(
  query: URLSearchParams,
  shape: Shape,
): z.output<z.ZodObject<Shape>> {
  const given: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
  const twice: Fault[] = [];
  for (const [name, value] of query) {
    if (name === "pretty") continue;
    if (name in given) twice.push({ field: name, problem: "is given twice" });
    given[name] = value;
  }
  const faults = [...twice, ...unknownMembers(given, shape, "parameter")];
  const result = z.object(shape).safeParse(given);
  if (result.success && faults.length === 0) return result.data;
  throw invalid("SBX_QUERY", [...faults, ...(result.error?.issues ?? []).map((issue) => faultOf(issue, given))]);
}

/** The members of the body, checked; throws with what is wrong with each of them. An empty body is an object without members. */
export function readBody<Shape extends z.ZodRawShape>(request: ApiRequest, shape: Shape): z.output<z.ZodObject<Shape>> {
  const given = parseBody(request);
  if (typeof given !== "object" || given === null || Array.isArray(given))
    throw new ApiRefusal("SBX_BODY", "The body must be a JSON object.");
  const faults = unknownMembers(given, shape, "member");
  const result = z.object(shape).safeParse(given);
  if (result.success && faults.length === 0) return result.data;
  throw invalid("SBX_BODY", [...faults, ...(result.error?.issues ?? []).map((issue) => faultOf(issue, given))]);
}

function parseBody(request: ApiRequest): unknown {
  const { body } = request;
  if (body.length > largestBody)
    throw new ApiRefusal("SBX_BODY_TOO_LARGE", `The body may have ${largestBody} bytes at most.`);
  const type = headerOf(request, "content-type") ?? "";
  if (!/^application\/json *(;|$)/i.test(type))
    throw new ApiRefusal("SBX_CONTENT_TYPE", "The body must be JSON: Content-Type: application/json.");
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body)) as unknown;
  } catch (error) {
    throw new ApiRefusal("SBX_BODY", `The body is not JSON: ${(error as Error).message}.`);
  }
}

function unknownMembers(given: object, shape: z.ZodRawShape, noun: string): Fault[] {
  const known = Object.keys(shape);
  return Object.keys(given)
    .filter((name) => !Object.hasOwn(shape, name))
    .map((name) => {
      const near = didYouMean(name, known);
      const hint = near === undefined ? "" : `; did you mean ${near}?`;
      return { field: name, problem: `is no ${noun} here${hint}` };
    });
}

function faultOf({ message, path }: z.core.$ZodIssue, given: object): Fault {
  const [name = ""] = path.map(String);
  return { field: path.map(String).join("."), problem: Object.hasOwn(given, name) ? message : "is required" };
}

function invalid(code: "SBX_BODY" | "SBX_QUERY", faults: readonly Fault[]): ApiRefusal {
  // What is wrong with a field first says enough.
  const fields = faults.filter(({ field }, at) => faults.findIndex((fault) => fault.field === field) === at);
  const text = fields.map(({ field, problem }) => `${field}: ${problem}`).join("; ");
  return new ApiRefusal(code, `${code === "SBX_QUERY" ? "The query" : "The body"} has mistakes: ${text}.`, { fields });
}
