import { checkObject, type ObjectPath } from "@signalbox/istio-objects";
import { byCodeUnit, objectKey, type ConfigObject } from "@signalbox/model";
import { formatPath } from "@signalbox/registry";
import { analyze, type RuleFinding } from "@signalbox/traffic";
import { analysisInput, isOfSelector } from "../analysis-input.ts";
import { catalogOfTexts, type TextsCatalog } from "./analyze/catalog-of-texts.ts";
import { ObjectPlaces, type TextPlace } from "./analyze/object-places.ts";
import { failIfIncomplete } from "./catalog.ts";
import { CommandFailure, exitCodes, type CommandContext } from "./context.ts";
import { readConfig } from "./read-config.ts";
import { printable } from "./table.ts";
import { readSources } from "./validate/read-sources.ts";

const levels = ["error", "warning", "info"] as const;
type Level = (typeof levels)[number];

/** The flags of `signalbox analyze`. */
export interface AnalyzeFlags {
  readonly output: "text" | "json";
  /** The least level that makes the exit code 1. */
  readonly failOn: Level;
  /** A configuration whose registries and rules are read beside the paths. */
  readonly config?: string;
}

/** One finding as it is printed. */
interface Printed {
  readonly code: string;
  readonly level: Level;
  /** `<kind>/<namespace>/<name>`; empty where it is not known which object is meant. */
  readonly object: string;
  readonly place: TextPlace | undefined;
  readonly field: string;
  readonly message: string;
}

/** Istio's code for an object that its admission refuses, or that cannot be read. */
const refused = "IST0106";

/** `signalbox analyze`: says what Istio's objects say together and cannot mean. Resolves with exit code 1 where the level asks for it. */
export async function analyzeCommand(
  paths: readonly string[],
  { config, failOn, output }: AnalyzeFlags,
  context: CommandContext,
  stdin: AsyncIterable<Uint8Array | string> = process.stdin,
): Promise<number> {
  if (paths.length === 0 && config === undefined)
    throw new CommandFailure("name files or folders, or a configuration with --config", exitCodes.usage);
  const beside = config === undefined ? undefined : await readConfig(config, context);
  const texts = new Map<string, string>();
  const found: Printed[] = [];
  for await (const { content, file } of readSources(paths, stdin)) {
    if ("text" in content) texts.set(file, content.text);
    else found.push(unread({ file, line: 1, column: 1 }, content.problem));
  }
  const places = new ObjectPlaces(texts);
  const read = await catalogOfTexts(texts, beside);
  const { catalog, faults } = read;
  for (const { column, document, file, line, message } of faults)
    found.push({ ...unread({ file, line, column }, message), object: places.keyOf(file, document) ?? "" });
  for (const object of catalog.objects.values()) found.push(...refusals(object, places));
  for (const { code, level, message, object, path } of findingsOf(read))
    found.push({ code, level, object, place: places.find(object, path), field: formatPath(path), message });
  const elsewhere = [...catalog.objects.keys()].filter((key) => places.find(key, []) === undefined);
  const sorted = [...found].sort(byPlace);
  const findings = levels.flatMap((level) => sorted.filter((one) => one.level === level));
  context.stdout.write(output === "json" ? asJson(findings) : asText(findings, places.size + elsewhere.length));
  failIfIncomplete(read);
  const least = levels.indexOf(failOn);
  return findings.some(({ level }) => levels.indexOf(level) <= least) ? exitCodes.failed : 0;
}

/**
 * What the objects say together. Services of other sources than manifests may have proxies that no workload stands for, so where no workload is
 * known nothing is said of selectors.
 */
function findingsOf({ catalog, manifestsOnly }: TextsCatalog): readonly RuleFinding[] {
  const findings = analyze(analysisInput(catalog));
  return manifestsOnly || catalog.workloads.size > 0 ? findings : findings.filter((one) => !isOfSelector(one));
}

/** By file, line and column; what has no place comes last. */
function byPlace({ place: a }: Printed, { place: b }: Printed): number {
  if (a === undefined || b === undefined) return Number(a === undefined) - Number(b === undefined);
  return byCodeUnit(a.file, b.file) || a.line - b.line || a.column - b.column;
}

function unread(place: TextPlace, message: string): Printed {
  return { code: refused, level: "error", object: "", place, field: "", message };
}

/** What Istio's admission refuses of one object, each for itself. */
function refusals(object: ConfigObject, places: ObjectPlaces): readonly Printed[] {
  const key = objectKey(object);
  return checkObject(object)
    .filter(({ severity }) => severity !== "warning")
    .map(({ at, message, path }) => ({
      ...{ code: refused, level: "error", object: key, message },
      ...{ place: places.find(key, path, at), field: fieldText(path) },
    }));
}

function fieldText(path: ObjectPath): string {
  return path.length === 0 ? "" : formatPath(path);
}

function asJson(findings: readonly Printed[]): string {
  const results = findings.map(({ code, field, level, message, object, place }) => {
    return { code, level, object, ...place, field, message };
  });
  return `${JSON.stringify({ findings: results }, undefined, 2)}\n`;
}

function asText(findings: readonly Printed[], objects: number): string {
  const lines = findings.map(({ code, field, level, message, object, place }) => {
    const where = place === undefined ? "" : `${place.file}:${place.line}:${place.column}: `;
    const what = [object, field].filter((part) => part !== "").join(" ");
    return printable(`${where}${level}: ${code}: ${what === "" ? "" : `${what}: `}${message}`);
  });
  const counts = levels.map((level) => {
    const number = findings.filter((one) => one.level === level).length;
    return level === "info" ? `${number} info` : count(number, level);
  });
  return [...lines, `${count(objects, "object")}: ${counts.join(", ")}`].map((line) => `${line}\n`).join("");
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? "" : "s"}`;
}
