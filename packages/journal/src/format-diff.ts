import type { ContentDiff, EndpointDiff, FieldChange, ServiceDiff } from "./diff-content.ts";

const sign = { added: "+", removed: "-", changed: "~" } as const;

/**
 * Writes a difference for people, a line for each service, field and endpoint, and the sums at the end. Ends with a line end.
 *
 * ```text
 * ~ shop/orders.example.com
 *     ports: [] -> [{"name":"http","number":80,"protocol":"HTTP"}]
 *   + http 10.0.0.12:8080 HEALTHY weight 1 priority 0
 *   ~ http 10.0.0.7:8080 health HEALTHY -> UNHEALTHY, weight 1 -> 5
 * 1 service changed; 1 endpoint added, 1 changed
 * ```
 */
export function formatDiff(diff: ContentDiff): string {
  const lines = diff.services.flatMap(serviceLines);
  const endpoints = diff.services.flatMap((service) => service.endpoints);
  const sums = [sumOf("service", diff.services), sumOf("endpoint", endpoints)].filter((sum) => sum !== "");
  lines.push(sums.length === 0 ? "no difference" : sums.join("; "));
  return `${lines.join("\n")}\n`;
}

function serviceLines(diff: ServiceDiff): string[] {
  return [
    `${sign[diff.change]} ${written(diff.service)}`,
    ...diff.fields.map((change) => `    ${fieldText(change, ":")}`),
    ...diff.endpoints.map((endpoint) => `  ${endpointText(endpoint)}`),
  ];
}

function endpointText({ change, servicePort, address, endpoint, fields }: EndpointDiff): string {
  const place = `${sign[change]} ${written(servicePort)} ${written(address)}`;
  if (change === "changed") return `${place} ${fields.map((field) => fieldText(field, "")).join(", ")}`;
  return `${place} ${endpoint.healthStatus} weight ${endpoint.weight} priority ${endpoint.priority}`;
}

function fieldText(change: FieldChange, after: string): string {
  return `${written(change.field)}${after} ${valueText(change.before)} -> ${valueText(change.after)}`;
}

function valueText(value: unknown): string {
  if (value === undefined) return "(none)";
  return typeof value === "string" && value !== "" ? written(value) : escaped(JSON.stringify(value));
}

/** Text from outside. What could move a terminal's cursor, or be taken for more than one word, is written as JSON writes it. */
function written(text: string): string {
  return /^[^\s\p{C}"\\]+$/u.test(text) ? text : escaped(JSON.stringify(text));
}

/** JSON leaves some control and format characters as they are. */
function escaped(json: string): string {
  return json.replaceAll(/\p{C}/gu, (character) =>
    [...Array(character.length).keys()]
      .map((index) => `\\u${character.charCodeAt(index).toString(16).padStart(4, "0")}`)
      .join(""),
  );
}

function sumOf(thing: string, diffs: readonly { readonly change: "added" | "removed" | "changed" }[]): string {
  const counts = (["added", "removed", "changed"] as const)
    .map((change) => ({ change, count: diffs.filter((diff) => diff.change === change).length }))
    .filter(({ count }) => count > 0);
  return counts
    .map(({ change, count }, index) => {
      const noun = index > 0 ? "" : count === 1 ? ` ${thing}` : ` ${thing}s`;
      return `${count}${noun} ${change}`;
    })
    .join(", ");
}
