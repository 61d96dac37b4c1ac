import {
  HeaderValueOption_HeaderAppendAction as AppendAction,
  type HeaderValueOptionSchema,
} from "@signalbox/envoy-api/envoy/config/core/v3/base";
import type { HeadersPolicy } from "@signalbox/istio-objects";
import { byCodeUnit } from "@signalbox/model";
import type { Init } from "../messages.ts";

type HeaderInit = Init<typeof HeaderValueOptionSchema>;

/** Header operations under the field names that routes and weighted clusters share; empty lists are left out. */
export interface HeaderFields {
  readonly requestHeadersToAdd?: HeaderInit[];
  readonly requestHeadersToRemove?: string[];
  readonly responseHeadersToAdd?: HeaderInit[];
  readonly responseHeadersToRemove?: string[];
}

/** What a rule does to headers. */
export interface HeaderOperations {
  readonly fields: HeaderFields;
  /** The request's host as it shall be; empty where it stays. Envoy does not take it among the headers. */
  readonly authority: string;
}

/** No operations. */
const none: HeaderOperations = { fields: {}, authority: "" };

/**
 * The operations that several policies say together, in their order: what is set comes before what is added, each by name. `Host` and
 * `:authority` of a request become `authority`; of other headers that Envoy keeps to itself (`:path` …) nothing is done, as in Istio.
 */
export function headerOperations(...policies: readonly (HeadersPolicy | undefined)[]): HeaderOperations {
  const given = policies.filter((policy) => policy !== undefined);
  if (given.length === 0) return none;
  const requests = given.map(({ request }) => request);
  const responses = given.map(({ response }) => response);
  const listed = {
    requestHeadersToAdd: requests.flatMap(additions),
    requestHeadersToRemove: requests.flatMap(removals),
    responseHeadersToAdd: responses.flatMap(additions),
    responseHeadersToRemove: responses.flatMap(removals),
  };
  const fields: HeaderFields = Object.fromEntries(Object.entries(listed).filter(([, list]) => list.length > 0));
  return { fields, authority: requests.map(authorityOf).find((authority) => authority !== "") ?? "" };
}

type Operations = HeadersPolicy["request"];

function additions(operations: Operations): HeaderInit[] {
  return [
    ...options(operations?.set ?? {}, AppendAction.OVERWRITE_IF_EXISTS_OR_ADD),
    ...options(operations?.add ?? {}, AppendAction.APPEND_IF_EXISTS_OR_ADD),
  ];
}

function options(headers: Readonly<Record<string, string>>, appendAction: AppendAction): HeaderInit[] {
  return Object.entries(headers)
    .filter(([key]) => !isInternal(key))
    .sort(([a], [b]) => byCodeUnit(a, b))
    .map(([key, value]) => ({ header: { key, value }, appendAction }));
}

function removals(operations: Operations): string[] {
  return (operations?.remove ?? []).filter((key) => !isInternal(key));
}

function authorityOf(operations: Operations): string {
  for (const headers of [operations?.set ?? {}, operations?.add ?? {}]) {
    const [first] = Object.entries(headers)
      .filter(([key, value]) => isAuthority(key) && value !== "")
      .sort(([a], [b]) => byCodeUnit(a, b));
    if (first !== undefined) return first[1];
  }
  return "";
}

function isInternal(key: string): boolean {
  return key.startsWith(":") || key.toLowerCase() === "host";
}

function isAuthority(key: string): boolean {
  return [":authority", "host"].includes(key.toLowerCase());
}
