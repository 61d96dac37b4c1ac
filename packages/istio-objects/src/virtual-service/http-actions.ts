import type { FaultList, ObjectPath } from "../fault.ts";
import { portFault } from "../names.ts";
import type { HttpRoute } from "../schema/virtual-service.ts";
import { regexFault } from "./string-match.ts";

const kilobyte = 1024;
const largeBody = 100 * kilobyte;
const largestBody = kilobyte * kilobyte;

/** Checks a redirect, with the matches of its rule. */
export function checkRedirect({ match, redirect }: HttpRoute, path: ObjectPath, faults: FaultList): void {
  if (redirect === undefined) return;
  const at = [...path, "redirect"];
  const { authority, derivePort, port, prefixRewrite, redirectCode, scheme, uri } = redirect;
  if (uri !== "" && prefixRewrite !== "")
    faults.error([...at, "prefixRewrite"], "cannot stand beside uri: both write the path");
  const other = match.findIndex((one) => one.uri !== undefined && one.uri.prefix === undefined);
  if (prefixRewrite !== "" && other >= 0)
    faults.error([...at, "prefixRewrite"], `needs prefix matches of the path, which match ${other} is not`);
  const port_ = port ?? derivePort;
  if (uri === "" && prefixRewrite === "" && authority === "" && port_ === undefined && scheme === "")
    faults.error(at, "needs one of uri, prefixRewrite, authority, port, derivePort and scheme");
  if (redirectCode !== 0 && (redirectCode < 300 || redirectCode > 399))
    faults.error([...at, "redirectCode"], `${redirectCode} is not a status of a redirect, 300 to 399`);
  if (!["", "http", "https"].includes(scheme))
    faults.error([...at, "scheme"], `must be http or https, not "${scheme}"`);
  const portProblem = port === undefined || port === 0 ? undefined : portFault(port);
  if (portProblem !== undefined) faults.error([...at, "port"], portProblem);
}

/** Checks an answer that the proxy gives itself. */
export function checkDirectResponse({ directResponse }: HttpRoute, path: ObjectPath, faults: FaultList): void {
  if (directResponse === undefined) return;
  const at = [...path, "directResponse"];
  const { body, status } = directResponse;
  const fault = statusFault(status);
  if (fault !== undefined) faults.error([...at, "status"], fault);
  const bytes = body?.bytes === undefined ? Buffer.byteLength(body?.string ?? "") : decodedLength(body.bytes);
  if (bytes > largestBody) faults.error([...at, "body"], "is larger than 1 MiB");
  else if (bytes > largeBody) faults.warning([...at, "body"], "is larger than 100 KiB, and every proxy gets it");
}

/** Checks what is done to the path and the authority before a request is sent on. */
export function checkRewrite({ rewrite }: HttpRoute, path: ObjectPath, faults: FaultList): void {
  if (rewrite === undefined) return;
  const at = [...path, "rewrite"];
  const { authority, uri, uriRegexRewrite: regex } = rewrite;
  if (uri !== "" && regex !== undefined)
    faults.error([...at, "uriRegexRewrite"], "cannot stand beside uri: both write the path");
  if (uri === "" && regex === undefined && authority === "")
    faults.error(at, "needs one of uri, uriRegexRewrite and authority");
  if (regex === undefined) return;
  if (regex.match === "" || regex.rewrite === "") {
    faults.error([...at, "uriRegexRewrite"], "needs both match and rewrite");
    return;
  }
  const fault = regexFault(regex.match);
  if (fault !== undefined) faults.error([...at, "uriRegexRewrite", "match"], fault);
}

/** Checks an HTTP status of an answer. Istio takes 600 too. */
export function statusFault(status: number): string | undefined {
  return status >= 200 && status <= 600 ? undefined : `${status} is not a status of an answer, 200 to 599`;
}

/** How many bytes a text in base64 stands for. */
function decodedLength(base64: string): number {
  return Math.floor((base64.replace(/[=\r\n]/g, "").length * 3) / 4);
}
