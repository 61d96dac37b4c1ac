import { dump, YAMLException } from "js-yaml";

/**
 * Writes plain JSON data as one document of block YAML that every YAML 1.1 and 1.2 reader reads back as the same data: texts that one of
 * them takes for something else are quoted. No line is folded at a width, no anchors. Members that are `undefined` are left out. Throws a
 * TypeError for what YAML has no form for.
 */
export function formatYaml(value: unknown): string {
  try {
    return dump(value, { lineWidth: -1, noRefs: true, quoteStyle: "double" });
  } catch (error) {
    if (error instanceof YAMLException) throw new TypeError(`no YAML form: ${error.reason}`, { cause: error });
    throw error;
  }
}
