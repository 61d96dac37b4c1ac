import type { NamespaceChoice } from "../config.ts";

/** The namespaces that collections are asked for one by one, as parts of paths; one entry for all where none is named. */
export function namespacesOf({
  include,
}: NamespaceChoice): readonly { readonly namespace: string | undefined; readonly part: string }[] {
  if (include.length === 0) return [{ namespace: undefined, part: "" }];
  return include.map((namespace) => ({ namespace, part: `/namespaces/${namespace}` }));
}
