import type { FaultList, ObjectPath } from "./fault.ts";
import { sidecarHostFault } from "./host-scope.ts";
import { bindFault, socketFault } from "./names.ts";
import type { EgressListener } from "./schema/sidecar.ts";
import { checkPort } from "./sidecar-ingress.ts";
import { socketPrefix } from "./workload-entry.ts";

/** Checks the outbound listeners of a Sidecar, which is in the namespace. */
export function checkEgress(listeners: readonly EgressListener[], namespace: string, faults: FaultList): void {
  const numbers = new Set<number>();
  const sockets = new Set<string>();
  for (const [index, listener] of listeners.entries()) {
    const at = ["spec", "egress", index];
    const { port, bind, hosts } = listener;
    if (port === undefined) {
      if (index < listeners.length - 1) faults.error(at, "a listener without a port must be the last one");
    } else {
      checkPort(port, at, faults, port.number === 0);
      checkBind(listener, port.number, at, faults);
      if (port.number === 0) {
        if (sockets.has(bind)) faults.error([...at, "bind"], "another listener has the same socket");
        sockets.add(bind);
      } else {
        if (numbers.has(port.number)) {
          faults.error([...at, "port", "number"], `another port has the number ${port.number}`);
        }
        numbers.add(port.number);
      }
    }
    checkHosts(hosts, namespace, [...at, "hosts"], faults);
  }
}

function checkBind({ bind, captureMode }: EgressListener, number: number, path: ObjectPath, faults: FaultList): void {
  const isSocket = bind.startsWith(socketPrefix);
  if (number !== 0) {
    const fault = bindFault(bind);
    if (fault !== undefined) faults.error([...path, "bind"], fault);
    return;
  }
  const fault = isSocket
    ? socketFault(bind.slice(socketPrefix.length))
    : "a port of number 0 needs a Unix socket, as unix:///path";
  if (fault !== undefined) faults.error([...path, "bind"], fault);
  if (captureMode === "IPTABLES") {
    faults.error([...path, "captureMode"], "must be DEFAULT or NONE for a Unix socket");
  }
}

function checkHosts(hosts: readonly string[], namespace: string, path: ObjectPath, faults: FaultList): void {
  if (hosts.length === 0) faults.error(path, "at least one host is required");
  const known = new Map<string, Set<string>>();
  for (const [index, written] of hosts.entries()) {
    const fault = sidecarHostFault(written);
    if (fault !== undefined) faults.error([...path, index], fault);
    const slash = written.indexOf("/");
    // A host that is left out does not make another one superfluous.
    if (slash < 0 || written.startsWith("~")) continue;
    const scope = written.slice(0, slash);
    const host = written.slice(slash + 1);
    const name = scope === "." ? namespace : scope;
    const others = known.get(name) ?? new Set<string>();
    known.set(name, others);
    const isRepeated = host === "*" ? others.size > 0 : others.has(host) || others.has("*");
    if (isRepeated) faults.warning([...path, index], `"${written}" is among the hosts before it`);
    others.add(host);
  }
  if (known.get("*")?.has("*") === true && known.size > 1) {
    faults.warning(path, "*/* has every host, so the others have no effect");
  }
}
