import type { Gateway, VirtualService } from "@signalbox/istio-objects";
import { hostsMatch, meshGateway, wholeGateway, wholeHost } from "../host-name.ts";
import type { Rule } from "../rule.ts";
import { isDelegate } from "../virtual-service/resolve.ts";
import { isExportedTo, isPublic } from "../virtual-service/reach.ts";
import type { Said } from "./finding.ts";

/** Gateways that a VirtualService names and that are not there, or have none of its hosts. */
export function* gatewayFindings(
  { object, spec }: Rule<VirtualService>,
  gateways: ReadonlyMap<string, Rule<Gateway>>,
  domain: string,
): Generator<Said, void, undefined> {
  const hosts = spec.hosts.map((host) => wholeHost(host, object.namespace, domain));
  for (const [index, name] of spec.gateways.entries()) {
    if (name === meshGateway) continue;
    const path = ["spec", "gateways", index];
    const gateway = gateways.get(wholeGateway(name, object.namespace));
    if (gateway === undefined) {
      yield { code: "IST0101", path, message: `gateway ${name} is not there` };
    } else if (!hosts.some((host) => hasHost(gateway, host, object.namespace))) {
      yield { code: "IST0132", path, message: `gateway ${name} has none of the hosts ${spec.hosts.join(", ")}` };
    }
  }
}

/** A server's host may say which namespaces' VirtualServices may use it: `namespace/host`, where `.` is the Gateway's own. */
function hasHost({ object, spec }: Rule<Gateway>, host: string, namespace: string): boolean {
  return spec.servers.some(({ hosts }) =>
    hosts.some((written) => {
      const slash = written.indexOf("/");
      const from = slash < 0 ? "*" : written.slice(0, slash);
      const allowed = from === "*" || (from === "." ? object.namespace : from) === namespace;
      return allowed && hostsMatch(written.slice(slash + 1).toLowerCase(), host);
    }),
  );
}

/** Delegates that are not there, or that the root's namespace does not see. */
export function* delegateFindings(
  { object, spec }: Rule<VirtualService>,
  virtualServices: ReadonlyMap<string, Rule<VirtualService>>,
): Generator<Said, void, undefined> {
  for (const [index, { delegate }] of spec.http.entries()) {
    if (delegate === undefined) continue;
    const owner = delegate.namespace || object.namespace;
    const found = virtualServices.get(`${owner}/${delegate.name}`);
    const path = ["spec", "http", index, "delegate"];
    if (found === undefined || !isDelegate(found)) {
      yield { code: "IST0101", path, message: `${owner}/${delegate.name} is not a VirtualService without hosts` };
    } else if (!isExportedTo(found.spec.exportTo, owner, object.namespace)) {
      yield { code: "IST0101", path, message: `${owner}/${delegate.name} is not exported to ${object.namespace}` };
    }
  }
}

/** Hosts that several VirtualServices have for the same clients within the mesh: only the first of them is used. */
export function* meshHostFindings(
  virtualServices: readonly Rule<VirtualService>[],
  domain: string,
): Generator<{ readonly of: string; readonly said: Said }, void, undefined> {
  const inMesh = virtualServices
    .filter(({ spec }) => spec.gateways.length === 0 || spec.gateways.includes(meshGateway))
    .map((rule) => ({ rule, scopes: scopesOf(rule), hosts: wholeHosts(rule, domain) }));
  const byHost = new Map<string, typeof inMesh>();
  for (const one of inMesh) for (const host of one.hosts) byHost.set(host, [...(byHost.get(host) ?? []), one]);
  for (const one of inMesh) {
    for (const [index, host] of one.hosts.entries()) {
      const others = (byHost.get(host) ?? []).filter((other) => other !== one && overlap(one.scopes, other.scopes));
      if (others.length === 0) continue;
      const names = others.map(({ rule }) => `${rule.object.namespace}/${rule.object.name}`).sort();
      const message = `${names.join(", ")} also has the host ${host} within the mesh, and only the first is used; make one of them`;
      yield { of: one.rule.key, said: { code: "IST0109", path: ["spec", "hosts", index], message } };
      break;
    }
  }
}

/** Once each, in the order of the object. */
function wholeHosts({ object, spec }: Rule<VirtualService>, domain: string): readonly string[] {
  return [...new Set(spec.hosts.map((host) => wholeHost(host, object.namespace, domain)))];
}

/** Namespaces that see a VirtualService; undefined is all. */
function scopesOf({ object, spec }: Rule<VirtualService>): ReadonlySet<string> | undefined {
  if (isPublic(spec.exportTo)) return undefined;
  return new Set(spec.exportTo.map((one) => (one === "." ? object.namespace : one)).filter((one) => one !== "~"));
}

function overlap(a: ReadonlySet<string> | undefined, b: ReadonlySet<string> | undefined): boolean {
  if (a === undefined) return b === undefined || b.size > 0;
  return b === undefined ? a.size > 0 : [...a].some((one) => b.has(one));
}
