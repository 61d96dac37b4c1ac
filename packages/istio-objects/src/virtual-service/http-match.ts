import type { FaultList, ObjectPath } from "../fault.ts";
import { labelFault, portFault } from "../names.ts";
import type { HttpMatch } from "../schema/virtual-service.ts";
import { checkLabels } from "../workload-entry.ts";
import { checkGatewayNames } from "./gateways.ts";
import { isClaim, matchedHeaderFault } from "./header-names.ts";
import { checkRegexMatch, checkStringMatch } from "./string-match.ts";

/** Checks what requests an HTTP rule is for. Claims of tokens are for gateways only. */
export function checkHttpMatch(match: HttpMatch, path: ObjectPath, forGateways: boolean, faults: FaultList): void {
  checkHeaderMatches(match.headers, [...path, "headers"], forGateways, faults);
  checkHeaderMatches(match.withoutHeaders, [...path, "withoutHeaders"], forGateways, faults);
  // An empty prefix of a path means every path; Envoy takes none in other places.
  checkRegexMatch(match.uri, [...path, "uri"], faults);
  for (const field of ["scheme", "method", "authority"] as const)
    checkStringMatch(match[field], [...path, field], faults);
  for (const [name, value] of Object.entries(match.queryParams))
    checkStringMatch(value, [...path, "queryParams", name], faults);
  const port = match.port === 0 ? undefined : portFault(match.port);
  if (port !== undefined) faults.error([...path, "port"], port);
  checkLabels(match.sourceLabels, [...path, "sourceLabels"], faults);
  checkGatewayNames(match.gateways, [...path, "gateways"], faults);
  const namespace = match.sourceNamespace === "" ? undefined : labelFault(match.sourceNamespace);
  if (namespace !== undefined) faults.error([...path, "sourceNamespace"], namespace);
  if (match.ignoreUriCase && match.uri?.regex !== undefined)
    faults.warning([...path, "ignoreUriCase"], "has no effect on a regular expression: begin it with (?i)");
}

function checkHeaderMatches(
  headers: HttpMatch["headers"],
  path: ObjectPath,
  forGateways: boolean,
  faults: FaultList,
): void {
  const without = path.at(-1) === "withoutHeaders";
  for (const [name, value] of Object.entries(headers)) {
    const at = [...path, name];
    const nameFault = matchedHeaderFault(name);
    if (nameFault !== undefined) faults.error(at, nameFault, "key");
    else if (isClaim(name) && !forGateways) faults.error(at, "claims of tokens can only be matched at gateways", "key");
    // Here `*` is no regular expression: it stands for a header of any value.
    if (!(without && value.regex === "*")) checkStringMatch(value, at, faults);
  }
}
