import type { FaultList, ObjectPath } from "../fault.ts";
import { hostFault, labelFault } from "../names.ts";

/**
 * Checks names of gateways: `namespace/name`, `name`, or as of old the gateway's full host name. Istio's admission does not look at those that
 * follow a name without a slash, so their mistakes are warnings. With `anyName` (objects made of Gateway API routes) names are not checked.
 */
export function checkGatewayNames(
  gateways: readonly string[],
  path: ObjectPath,
  faults: FaultList,
  { anyName = false }: { readonly anyName?: boolean } = {},
): void {
  let looked = true;
  for (const [index, gateway] of gateways.entries()) {
    const at = [...path, index];
    const slash = gateway.indexOf("/");
    const fault = slash < 0 ? hostFault(gateway) : pairFault(gateway, slash, anyName);
    if (fault !== undefined) {
      if (looked) faults.error(at, fault);
      else faults.warning(at, fault);
    } else if (slash < 0 && gateway.includes(".")) {
      const [name = "", namespace = ""] = gateway.split(".");
      faults.warning(at, `names a gateway as a host, which is out of date: write ${namespace}/${name}`);
    }
    looked &&= slash >= 0;
  }
}

function pairFault(gateway: string, slash: number, anyName: boolean): string | undefined {
  const namespace = gateway.slice(0, slash);
  const name = gateway.slice(slash + 1);
  if (namespace === "" || name === "") return `"${gateway}" must be namespace/name`;
  return labelFault(namespace) ?? (anyName ? undefined : labelFault(name));
}
