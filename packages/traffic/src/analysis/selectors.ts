import type { Gateway, Sidecar } from "@signalbox/istio-objects";
import { byCodeUnit, canonicalJson, type Labels } from "@signalbox/model";
import { selects } from "../labels.ts";
import type { Rule } from "../rule.ts";
import type { Said } from "./finding.ts";
import type { AnalyzedService, AnalyzedWorkload } from "./input.ts";

/** Gateways that select nothing, and ports that no service before the selected workloads has. */
export function* gatewayWorkloadFindings(
  { spec }: Rule<Gateway>,
  workloads: readonly AnalyzedWorkload[],
  services: readonly AnalyzedService[],
): Generator<Said, void, undefined> {
  const selected = workloads.filter(({ labels }) => selects(spec.selector, labels));
  if (selected.length === 0) {
    yield {
      code: "IST0101",
      path: ["spec", "selector"],
      message: `no workload has the labels ${labelText(spec.selector)}`,
    };
    return;
  }
  const ports = new Set<number>();
  for (const service of services) {
    const serving = service.instances.filter(({ labels }) => selects(spec.selector, labels));
    if (serving.length === 0) continue;
    for (const port of [...service.ports, ...serving.flatMap((instance) => instance.ports)]) ports.add(port);
  }
  for (const [index, { port }] of spec.servers.entries()) {
    if (port === undefined || ports.has(port.number)) continue;
    const message = `no service of workloads with the labels ${labelText(spec.selector)} has the port ${port.number}`;
    yield { code: "IST0162", path: ["spec", "servers", index, "port"], message };
  }
}

/** Servers that another Gateway for the same workloads has too: port, host and bind. */
export function* gatewayConflictFindings(
  { key, spec }: Rule<Gateway>,
  gateways: readonly Rule<Gateway>[],
  workloads: readonly AnalyzedWorkload[],
): Generator<Said, void, undefined> {
  const others = gateways.filter(
    (other) => other.key !== key && together(spec.selector, other.spec.selector, workloads),
  );
  for (const [index, server] of spec.servers.entries()) {
    const conflicting = others.filter((other) =>
      other.spec.servers.some(
        (theirs) =>
          theirs.port?.number === server.port?.number &&
          theirs.bind === server.bind &&
          theirs.hosts.some((host) => server.hosts.includes(host)),
      ),
    );
    if (conflicting.length === 0) continue;
    const names = conflicting.map(({ object }) => `${object.namespace}/${object.name}`).sort(byCodeUnit);
    const message = `${names.join(", ")} serves the same host on port ${server.port?.number ?? 0} of the same workloads`;
    yield { code: "IST0145", path: ["spec", "servers", index], message };
  }
}

function together(a: Labels, b: Labels, workloads: readonly AnalyzedWorkload[]): boolean {
  if (canonicalJson(a) === canonicalJson(b)) return true;
  if (!selects(a, b) && !selects(b, a)) return false;
  return workloads.some(({ labels }) => selects(a, labels) && selects(b, labels));
}

/** Sidecars that select nothing, or workloads that another Sidecar is for. */
export function* sidecarFindings(
  { key, object, spec }: Rule<Sidecar>,
  sidecars: readonly Rule<Sidecar>[],
  workloads: readonly AnalyzedWorkload[],
): Generator<Said, void, undefined> {
  const selector = selectorOf(spec);
  const others = sidecars.filter((other) => other.key !== key && other.object.namespace === object.namespace);
  const named = (rules: readonly Rule<Sidecar>[]) =>
    rules
      .map((rule) => rule.object.name)
      .sort(byCodeUnit)
      .join(", ");
  if (selector === undefined) {
    const alike = others.filter((other) => selectorOf(other.spec) === undefined);
    if (alike.length > 0) {
      yield {
        code: "IST0111",
        path: ["metadata", "name"],
        message: `${named(alike)} is also for all workloads of ${object.namespace}`,
      };
    }
    return;
  }
  const path = ["spec", "workloadSelector", "labels"];
  const selected = workloads.filter(
    ({ namespace, labels }) => namespace === object.namespace && selects(selector, labels),
  );
  if (selected.length === 0) {
    yield {
      code: "IST0101",
      path,
      message: `no workload of ${object.namespace} has the labels ${labelText(selector)}`,
    };
  }
  for (const { name, labels } of selected) {
    const alike = others.filter((other) => {
      const theirs = selectorOf(other.spec);
      return theirs !== undefined && selects(theirs, labels);
    });
    if (alike.length > 0) yield { code: "IST0110", path, message: `${named(alike)} also selects the workload ${name}` };
  }
}

function selectorOf({ workloadSelector }: Sidecar): Labels | undefined {
  const labels = workloadSelector?.labels ?? {};
  return Object.keys(labels).length === 0 ? undefined : labels;
}

/** Labels as `key=value`, sorted. */
export function labelText(labels: Labels): string {
  const written = Object.entries(labels).map(([key, value]) => `${key}=${value}`);
  return written.length === 0 ? "(any)" : written.sort(byCodeUnit).join(",");
}
