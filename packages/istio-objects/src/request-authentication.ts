import type { ConfigObject } from "@signalbox/model";
import { durationFault } from "./durations.ts";
import { FaultList, type Checked, type ObjectPath } from "./fault.ts";
import { checkJwks } from "./jwks.ts";
import { readRequestAuthentication, type RequestAuthentication } from "./schema/security.ts";
import { checkAttachment } from "./selectors.ts";

type JwtRule = RequestAuthentication["jwtRules"][number];

/** Reads and checks `spec` of a RequestAuthentication by the rules of Istio's API reference and admission. Paths begin with `spec`. */
export function checkRequestAuthentication(object: Pick<ConfigObject, "spec">): Checked<RequestAuthentication> {
  const faults = new FaultList();
  const value = readRequestAuthentication(object.spec, ["spec"], faults);
  checkAttachment(value, ["spec"], faults);
  for (const [index, rule] of value.jwtRules.entries()) {
    const at = ["spec", "jwtRules", index];
    checkKeys(rule, at, faults);
    checkPlaces(rule, at, faults);
    checkClaims(rule, at, faults);
    const timeout = rule.timeout === undefined ? undefined : durationFault(rule.timeout);
    if (timeout !== undefined) faults.error([...at, "timeout"], timeout);
  }
  return { value, faults: faults.faults };
}

function checkKeys(rule: JwtRule, path: ObjectPath, faults: FaultList): void {
  if (rule.issuer === "" && rule.jwksUri === "") faults.error([...path, "issuer"], "needs an issuer or a jwksUri");
  const uri = rule.jwksUri === "" ? undefined : uriFault(rule.jwksUri);
  if (uri !== undefined) faults.error([...path, "jwksUri"], uri);
  if (rule.jwks === "") return;
  const { fault, secretKeys } = checkJwks(rule.jwks);
  if (fault !== undefined) faults.error([...path, "jwks"], fault);
  for (const index of secretKeys) {
    faults.warning([...path, "jwks"], `its key ${index} is secret: proxies verify, so give them public keys only`);
  }
}

function checkPlaces(rule: JwtRule, path: ObjectPath, faults: FaultList): void {
  for (const field of ["audiences", "fromParams", "fromCookies"] as const) {
    for (const [index, name] of rule[field].entries()) {
      if (name === "") faults.error([...path, field, index], "must not be empty");
    }
  }
  for (const [index, { name }] of rule.fromHeaders.entries()) {
    if (name === "") faults.error([...path, "fromHeaders", index, "name"], "is required");
  }
}

function checkClaims(rule: JwtRule, path: ObjectPath, faults: FaultList): void {
  for (const [index, { claim, header }] of rule.outputClaimToHeaders.entries()) {
    const at = [...path, "outputClaimToHeaders", index];
    if (claim === "") faults.error([...at, "claim"], "is required");
    if (header === "") faults.error([...at, "header"], "is required");
    else if (!/^[-\w]+$/.test(header)) faults.error([...at, "header"], `"${header}" is not the name of a header`);
  }
}

/** RFC 3986 as far as Go's reader is strict: schema, host, port and escapes. */
function uriFault(uri: string): string | undefined {
  const parts = /^(?<scheme>[a-z][-a-z0-9+.]*):(?:\/\/(?<authority>[^/?#]*))?(?<path>[^?#]*)/i.exec(uri)?.groups;
  const scheme = parts?.["scheme"]?.toLowerCase();
  if (parts === undefined || (scheme !== "http" && scheme !== "https")) return `"${uri}" must begin with http or https`;
  const host = (parts["authority"] ?? "").replace(/^.*@/, "");
  const isHost = /^(?:\[[0-9a-f:.%]+\]|[^\s:[\]\\^`{|}]*)(?::[0-9]*)?$/i.test(host);
  const hasBadEscape = /%(?![0-9a-f]{2})/i.test(`${host}${parts["path"] ?? ""}`);
  // eslint-disable-next-line no-control-regex -- control characters are what this looks for
  return isHost && !hasBadEscape && !/[\u0000-\u001f\u007f]/.test(uri) ? undefined : `"${uri}" is not a URI`;
}
