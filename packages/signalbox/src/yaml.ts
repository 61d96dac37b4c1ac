/**
 * Writes plain JSON data as block YAML that every YAML 1.1 and 1.2 reader reads back as the same data: text is quoted unless
 * it cannot be taken for anything else. Members that are `undefined` are left out.
 */
export function toYaml(data: unknown): string {
  return `${block(data, "").join("\n")}\n`;
}

const plainText = /^[A-Za-z/][-A-Za-z0-9_./@|]*$/;
const reserved = /^(y|n|yes|no|on|off|true|false|null|nan|inf)$/i;

function scalar(value: unknown): string | undefined {
  if (value === null) return "null";
  if (typeof value === "string") return plainText.test(value) && !reserved.test(value) ? value : JSON.stringify(value);
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (typeof value !== "object") throw new TypeError(`a ${typeof value} has no YAML form`);
  if (Array.isArray(value)) return value.length === 0 ? "[]" : undefined;
  return members(value).length === 0 ? "{}" : undefined;
}

function members(value: object): [string, unknown][] {
  return Object.entries(value).filter(([, member]) => member !== undefined);
}

function block(value: unknown, indent: string): string[] {
  const short = scalar(value);
  if (short !== undefined) return [indent + short];
  if (Array.isArray(value))
    return value.flatMap((item) => {
      const [first = "", ...rest] = block(item, `${indent}  `);
      return [`${indent}- ${first.slice(indent.length + 2)}`, ...rest];
    });
  return members(value as object).flatMap(([key, member]) => {
    const name = `${indent}${scalar(key) ?? ""}:`;
    const inline = scalar(member);
    return inline === undefined ? [name, ...block(member, `${indent}  `)] : [`${name} ${inline}`];
  });
}
