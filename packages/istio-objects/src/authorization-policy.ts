import type { ConfigObject } from "@signalbox/model";
import { checkCondition } from "./authorization-condition.ts";
import {
  checkAddresses,
  checkPorts,
  checkServiceAccounts,
  checkTexts,
  checkTrustDomains,
} from "./authorization-values.ts";
import { FaultList, type Checked, type ObjectPath } from "./fault.ts";
import { pathTemplateFault } from "./path-template.ts";
import { readAuthorizationPolicy, type AuthorizationPolicy } from "./schema/security.ts";
import { checkAttachment } from "./selectors.ts";

type Rule = AuthorizationPolicy["rules"][number];
type Source = NonNullable<Rule["from"][number]["source"]>;
type Operation = NonNullable<Rule["to"][number]["operation"]>;

/** Reads and checks `spec` of an AuthorizationPolicy by the rules of Istio's API reference and admission. Paths begin with `spec`. */
export function checkAuthorizationPolicy(object: Pick<ConfigObject, "spec">): Checked<AuthorizationPolicy> {
  const faults = new FaultList();
  const value = readAuthorizationPolicy(object.spec, ["spec"], faults);
  checkAttachment(value, ["spec"], faults);
  checkAction(value, faults);
  for (const [index, rule] of value.rules.entries()) {
    const at = ["spec", "rules", index];
    checkFrom(rule, at, faults);
    checkTo(rule, at, faults);
    for (const [place, condition] of rule.when.entries()) checkCondition(condition, [...at, "when", place], faults);
    if (value.action === "CUSTOM") checkCustom(rule, at, faults);
    if (value.action === "DENY" && deniesAllTcp(rule)) {
      faults.warning(at, "denies all traffic of TCP ports too, which have no HTTP attributes: name the ports");
    }
  }
  return { value, faults: faults.faults };
}

function checkAction({ action, provider, rules }: AuthorizationPolicy, faults: FaultList): void {
  if ((action === "CUSTOM" || action === "DENY") && rules.length === 0) {
    faults.error(["spec", "rules"], `action ${action} without rules never happens: for every request, add the rule {}`);
  } else if (action === "CUSTOM" && (provider?.name ?? "") === "") {
    faults.error(["spec", "provider", "name"], "action CUSTOM needs it");
  }
  if (action !== "CUSTOM" && provider !== undefined) {
    faults.error(["spec", "provider"], `action ${action} does not take it`);
  }
}

function checkFrom(rule: Rule, path: ObjectPath, faults: FaultList): void {
  for (const [index, { source }] of rule.from.entries()) {
    const at = [...path, "from", index, "source"];
    if (source === undefined) {
      faults.error(at, "is required");
      continue;
    }
    const isEmpty = Object.values(source).every((values) => values.length === 0);
    if (isEmpty) faults.error(at, "must not be empty");
    const accounts = source.serviceAccounts.length + source.notServiceAccounts.length;
    const others =
      source.principals.length + source.notPrincipals.length + source.namespaces.length + source.notNamespaces.length;
    if (accounts > 0 && others > 0) {
      faults.error([...at, "serviceAccounts"], "cannot stand beside principals or namespaces: it says both");
    }
    for (const field of ["ipBlocks", "notIpBlocks", "remoteIpBlocks", "notRemoteIpBlocks"] as const) {
      checkAddresses(source[field], [...at, field], faults);
    }
    for (const field of ["principals", "requestPrincipals", "namespaces"] as const) {
      checkTexts(source[field], [...at, field], faults);
    }
    for (const field of ["notPrincipals", "notRequestPrincipals", "notNamespaces"] as const) {
      checkTexts(source[field], [...at, field], faults);
    }
    for (const field of ["serviceAccounts", "notServiceAccounts"] as const) {
      checkServiceAccounts(source[field], [...at, field], faults);
    }
    for (const field of ["trustDomains", "notTrustDomains"] as const) {
      checkTrustDomains(source[field], [...at, field], faults);
    }
  }
}

function checkTo(rule: Rule, path: ObjectPath, faults: FaultList): void {
  for (const [index, { operation }] of rule.to.entries()) {
    const at = [...path, "to", index, "operation"];
    if (operation === undefined) {
      faults.error(at, "is required");
      continue;
    }
    const isEmpty = Object.values(operation).every((values) => values.length === 0);
    if (isEmpty) faults.error(at, "must not be empty");
    for (const field of ["ports", "notPorts"] as const) checkPorts(operation[field], [...at, field], faults);
    for (const field of ["methods", "notMethods", "hosts", "notHosts", "paths", "notPaths"] as const) {
      checkTexts(operation[field], [...at, field], faults);
    }
    for (const field of ["paths", "notPaths"] as const) {
      for (const [place, template] of operation[field].entries()) {
        const fault = pathTemplateFault(template);
        if (fault !== undefined) faults.error([...at, field, place], fault);
      }
    }
  }
}

/** What says who the peer is: an external authorizer is asked before that is known. */
const identities = [
  "namespaces",
  "notNamespaces",
  "serviceAccounts",
  "notServiceAccounts",
  "trustDomains",
  "notTrustDomains",
  "principals",
  "notPrincipals",
  "requestPrincipals",
  "notRequestPrincipals",
] as const satisfies readonly (keyof Source)[];
const identityKeys: readonly string[] = [
  "source.namespace",
  "source.serviceAccount",
  "source.trustDomain",
  "source.principal",
];

function checkCustom(rule: Rule, path: ObjectPath, faults: FaultList): void {
  const message = "does not work with action CUSTOM";
  for (const [index, { source }] of rule.from.entries()) {
    for (const field of identities) {
      if ((source?.[field].length ?? 0) > 0) faults.error([...path, "from", index, "source", field], message);
    }
  }
  for (const [index, { key }] of rule.when.entries()) {
    if (identityKeys.includes(key) || key.startsWith("request.auth.")) {
      faults.error([...path, "when", index, "key"], message);
    }
  }
}

/** What a connection of TCP has, too. */
const tcpSources = [
  "principals",
  "notPrincipals",
  "namespaces",
  "notNamespaces",
  "serviceAccounts",
  "notServiceAccounts",
  "ipBlocks",
  "notIpBlocks",
  "remoteIpBlocks",
  "notRemoteIpBlocks",
] as const satisfies readonly (keyof Source)[];

function deniesAllTcp(rule: Rule): boolean {
  const sources = rule.from.flatMap(({ source }) => (source === undefined ? [] : [source]));
  const operations = rule.to.flatMap(({ operation }) => (operation === undefined ? [] : [operation]));
  const saysTcpPeer = sources.some((source) => tcpSources.some((field) => source[field].length > 0));
  const saysPort = operations.some(({ ports, notPorts }: Operation) => ports.length + notPorts.length > 0);
  if (operations.length > 0) return !saysPort;
  return sources.length > 0 && !saysTcpPeer;
}
