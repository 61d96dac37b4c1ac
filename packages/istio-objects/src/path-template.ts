/** Characters of one segment of a path (RFC 3986, `pchar`), with `%`. */
const segment = /^[-a-zA-Z0-9._~%!$&'()+,;:@=]+$/;

/**
 * Checks a path of an AuthorizationPolicy, in which `{*}` stands for one segment and `{**}` for any number of them at the end. Gives what
 * is wrong, or undefined.
 */
export function pathTemplateFault(path: string): string | undefined {
  const isTemplate = path.includes("{*}") || path.includes("{**}");
  const segments = path.replace(/^\/+|\/+$/g, "").split("/");
  const rest = segments.indexOf("{**}");
  for (const [index, written] of segments.entries()) {
    if (written === "{*}" || written === "{**}") {
      if (rest >= 0 && index > rest) return `"${path}" has "${written}" after {**}, which takes the rest`;
    } else if (/[{}]/.test(written)) {
      return `"${path}" has braces that are neither {*} nor {**} alone between slashes`;
    } else if (isTemplate && !segment.test(written)) {
      return `"${path}" has the segment "${written}", which a template cannot have`;
    }
  }
  return undefined;
}
