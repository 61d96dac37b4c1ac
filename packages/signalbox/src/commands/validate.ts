import { exitCodes, type CommandContext } from "./context.ts";
import { printable } from "./table.ts";
import { readSources, type Source } from "./validate/read-sources.ts";
import { validateText, type DocumentVerdict, type Remark } from "./validate/validate-text.ts";

/** The flags of `signalbox validate`. */
export interface ValidateFlags {
  readonly output: "text" | "json";
}

type FileVerdict = DocumentVerdict & { readonly file: string };

/** `signalbox validate`: checks Istio objects, each for itself. Resolves with exit code 1 where one is invalid. */
export async function validateCommand(
  paths: readonly string[],
  { output }: ValidateFlags,
  context: CommandContext,
  stdin: AsyncIterable<Uint8Array | string> = process.stdin,
): Promise<number> {
  const verdicts: FileVerdict[] = [];
  for await (const source of readSources(paths, stdin)) {
    for (const verdict of verdictsOf(source)) verdicts.push({ file: source.file, ...verdict });
  }
  context.stdout.write(output === "json" ? asJson(verdicts) : asText(verdicts));
  return verdicts.some(isInvalid) ? exitCodes.failed : 0;
}

function verdictsOf({ content, file }: Source): readonly DocumentVerdict[] {
  if ("text" in content) return validateText(content.text, file);
  const errors = [{ line: 1, column: 1, field: "", message: content.problem }];
  return [{ document: 0, kind: "", namespace: "", name: "", errors, warnings: [] }];
}

function isInvalid({ errors }: DocumentVerdict): boolean {
  return errors.length > 0;
}

function asJson(verdicts: readonly FileVerdict[]): string {
  const results = verdicts.map(({ document, errors, file, kind, name, namespace, warnings }) => ({
    file,
    document,
    kind,
    namespace,
    name,
    valid: errors.length === 0,
    errors: errors.map(remarkText),
    warnings: warnings.map(remarkText),
  }));
  return `${JSON.stringify({ results }, undefined, 2)}\n`;
}

function asText(verdicts: readonly FileVerdict[]): string {
  const lines = (["error", "warning"] as const).flatMap((severity) =>
    verdicts.flatMap(({ file, ...verdict }) =>
      verdict[`${severity}s`].map(({ column, field, line, message }) =>
        printable(`${file}:${line}:${column}: ${severity}: ${field === "" ? "" : `${field}: `}${message}`),
      ),
    ),
  );
  const invalid = verdicts.filter(isInvalid).length;
  const warnings = verdicts.reduce((sum, verdict) => sum + verdict.warnings.length, 0);
  const summary = `${count(verdicts.length, "document")}: ${verdicts.length - invalid} valid, ${invalid} invalid, ${count(warnings, "warning")}`;
  return [...lines, summary].map((line) => `${line}\n`).join("");
}

function remarkText({ column, field, line, message }: Remark): string {
  return `${line}:${column} ${field === "" ? "" : `${field}: `}${message}`;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
