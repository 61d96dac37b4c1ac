import type { FaultList, ObjectPath } from "../fault.ts";
import { re2Fault } from "../re2.ts";
import type { StringMatch } from "../schema/virtual-service.ts";

const longestRegex = 1024;

/** Checks a comparison of texts. An empty prefix is a mistake everywhere but in `uri`. */
export function checkStringMatch(match: StringMatch | undefined, path: ObjectPath, faults: FaultList): void {
  if (match?.prefix === "") faults.error([...path, "prefix"], "must not be empty");
  checkRegexMatch(match, path, faults);
}

/** Checks only the regular expression of a comparison. */
export function checkRegexMatch(match: StringMatch | undefined, path: ObjectPath, faults: FaultList): void {
  const fault = match?.regex === undefined ? undefined : regexFault(match.regex);
  if (fault === undefined) return;
  // Istio serves `*` as "there, with any value".
  if (match?.regex === "*") faults.rejected([...path, "regex"], `${fault}; write .* for any value`);
  else faults.error([...path, "regex"], fault);
}

/** Checks a regular expression by RE2's syntax and the length that Istio allows, in bytes. */
export function regexFault(regex: string): string | undefined {
  if (regex === "") return "must not be empty";
  if (regex.length > longestRegex || Buffer.byteLength(regex) > longestRegex)
    return `is longer than ${longestRegex} bytes`;
  const fault = re2Fault(regex);
  return fault === undefined ? undefined : `is not a regular expression of RE2: ${fault}`;
}
