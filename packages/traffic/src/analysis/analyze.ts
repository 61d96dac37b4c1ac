import { delegateFindings, gatewayFindings, meshHostFindings } from "./bindings.ts";
import { destinationFindings, subsetsOf } from "./destinations.ts";
import { findingLevels, inOrder, type RuleFinding, type Said } from "./finding.ts";
import type { AnalysisInput } from "./input.ts";
import { readRules } from "./rules.ts";
import { gatewayConflictFindings, gatewayWorkloadFindings, sidecarFindings } from "./selectors.ts";
import { Services } from "./services.ts";
import { destinationRuleFindings } from "./subsets.ts";
import { unreachableFindings } from "./unreachable.ts";
import type { Rule } from "../rule.ts";

/**
 * What rules say together that cannot be meant: names of things that are not there, rules that are never reached, objects that contend.
 * The codes are those of `istioctl analyze`. Objects that cannot be read are passed over. Pure; the order of the input has no influence.
 */
export function analyze(input: AnalysisInput): readonly RuleFinding[] {
  const { domain = "cluster.local" } = input;
  const rules = readRules(input.objects);
  const services = [...input.services];
  const workloads = [...input.workloads];
  const index = new Services(services);
  const subsets = subsetsOf(rules, domain);
  const gateways = byName(rules.gateways);
  const virtualServices = byName(rules.virtualServices);
  const findings: RuleFinding[] = [];
  const report = (object: string, said: Iterable<Said>) => {
    for (const one of said) findings.push({ ...one, object, level: findingLevels[one.code] });
  };
  for (const rule of rules.virtualServices) {
    report(rule.key, destinationFindings(rule, index, subsets, domain));
    report(rule.key, gatewayFindings(rule, gateways, domain));
    report(rule.key, delegateFindings(rule, virtualServices));
    report(rule.key, unreachableFindings(rule.spec));
  }
  for (const { of, said } of meshHostFindings(rules.virtualServices, domain)) report(of, [said]);
  for (const rule of rules.destinationRules) report(rule.key, destinationRuleFindings(rule, index, services, domain));
  for (const rule of rules.gateways) {
    report(rule.key, gatewayWorkloadFindings(rule, workloads, services));
    report(rule.key, gatewayConflictFindings(rule, rules.gateways, workloads));
  }
  for (const rule of rules.sidecars) report(rule.key, sidecarFindings(rule, rules.sidecars, workloads));
  return inOrder(findings);
}

function byName<Spec>(rules: readonly Rule<Spec>[]): ReadonlyMap<string, Rule<Spec>> {
  return new Map(rules.map((rule) => [`${rule.object.namespace}/${rule.object.name}`, rule]));
}
