import { fromBinary, getOption, hasOption, type DescField, type DescMessage, type Message } from "@bufbuild/protobuf";
import { reflect, type ReflectMessage } from "@bufbuild/protobuf/reflect";
import { AnySchema, FeatureSet_FieldPresence, type Any } from "@bufbuild/protobuf/wkt";
import { anyRegistry } from "@signalbox/envoy-api";
import { required, rules, type FieldRules } from "@signalbox/envoy-api/validate/validate";

/** What is wrong with a message, and where: `filters[0].typed_config.stat_prefix`. */
export interface Violation {
  readonly path: string;
  readonly message: string;
}

/**
 * The first rule of Envoy's own (`validate.rules`) that a message breaks: required fields, lengths of texts and lists, bounds of numbers,
 * enums. Rules of patterns, maps and durations are left to Envoy. Packed messages of known types are looked into.
 */
export function firstViolation(schema: DescMessage, message: Message): Violation | undefined {
  return check(reflect(schema, message, false), "");
}

function check(message: ReflectMessage, path: string): Violation | undefined {
  if (message.desc.typeName === AnySchema.typeName) return checkPacked(message.message as Any, path);
  for (const oneof of message.desc.oneofs)
    if (hasOption(oneof, required) && getOption(oneof, required) && message.oneofCase(oneof) === undefined)
      return { path: at(path, oneof.name), message: "one of its members is required" };
  for (const field of message.fields) {
    const found = checkField(message, field, at(path, field.name));
    if (found !== undefined) return found;
  }
  return undefined;
}

function checkPacked(any: Any, path: string): Violation | undefined {
  const schema = anyRegistry.getMessage(any.typeUrl.slice(any.typeUrl.lastIndexOf("/") + 1));
  if (schema === undefined) return undefined;
  return check(reflect(schema, fromBinary(schema, any.value), false), path);
}

function checkField(message: ReflectMessage, field: DescField, path: string): Violation | undefined {
  const rule = hasOption(field, rules) ? getOption(field, rules) : undefined;
  // A message that is not there breaks no rule but "required", and a member of a oneof that was not chosen breaks none.
  if (!message.isSet(field)) {
    if (field.oneof !== undefined) return undefined;
    if (rule?.message?.required === true || requiredByType(rule)) return { path, message: "is required" };
    if (field.fieldKind === "message" || !implicit(field)) return undefined;
  }
  switch (field.fieldKind) {
    case "list": {
      const list = message.get(field);
      const bounds = rule?.type.case === "repeated" ? rule.type.value : undefined;
      if (bounds !== undefined && BigInt(list.size) < bounds.minItems)
        return { path, message: `needs ${String(bounds.minItems)} items or more` };
      if (bounds !== undefined && bounds.maxItems > 0n && BigInt(list.size) > bounds.maxItems)
        return { path, message: `has more than ${String(bounds.maxItems)} items` };
      let index = 0;
      for (const item of list) {
        const place = `${path}[${String(index++)}]`;
        const found = isMessage(item) ? check(item, place) : checkScalar(item, bounds?.items, place);
        if (found !== undefined) return found;
      }
      return undefined;
    }
    case "map":
      for (const [key, value] of message.get(field)) {
        const found = isMessage(value) ? check(value, `${path}[${String(key)}]`) : undefined;
        if (found !== undefined) return found;
      }
      return undefined;
    case "message": {
      const inner = message.get(field);
      const wrapped = wrappedValue(inner);
      return wrapped === undefined ? check(inner, path) : checkScalar(wrapped, rule, path);
    }
    case "enum": {
      const value = message.get(field);
      if (rule?.type.case === "enum" && rule.type.value.definedOnly && field.enum.value[value] === undefined)
        return { path, message: `has no meaning for ${String(value)}` };
      return undefined;
    }
    case "scalar":
      return checkScalar(message.get(field), rule, path);
  }
}

/** Does the field have no "not set", but a zero that rules hold for? */
function implicit({ presence }: DescField): boolean {
  return presence === FeatureSet_FieldPresence.IMPLICIT;
}

function requiredByType(rule: FieldRules | undefined): boolean {
  const type = rule?.type;
  return (type?.case === "duration" || type?.case === "any" || type?.case === "timestamp") && type.value.required;
}

/** The value of a message such as `google.protobuf.UInt32Value`: rules of numbers stand at the field that holds it. */
function wrappedValue(message: ReflectMessage): unknown {
  if (!message.desc.typeName.startsWith("google.protobuf.") || !message.desc.typeName.endsWith("Value"))
    return undefined;
  const [only, ...more] = message.desc.fields;
  return only !== undefined && more.length === 0 && only.fieldKind === "scalar" ? message.get(only) : undefined;
}

function checkScalar(value: unknown, rule: FieldRules | undefined, path: string): Violation | undefined {
  if (rule === undefined) return undefined;
  const { type } = rule;
  if (type.case === "string" && typeof value === "string") {
    const length = BigInt(Array.from(value).length);
    if (type.value.ignoreEmpty && value === "") return undefined;
    if (length < type.value.minLen || BigInt(Buffer.byteLength(value)) < type.value.minBytes)
      return { path, message: "is too short" };
    if (type.value.maxLen > 0n && length > type.value.maxLen) return { path, message: "is too long" };
    if (type.value.in.length > 0 && !type.value.in.includes(value)) return { path, message: `cannot be "${value}"` };
    return undefined;
  }
  if (typeof value !== "number" && typeof value !== "bigint") return undefined;
  switch (type.case) {
    case "uint32":
    case "int32":
    case "uint64":
    case "int64":
    case "double":
    case "float":
      return outside(value, type.value) ? { path, message: `cannot be ${String(value)}` } : undefined;
    default:
      return undefined;
  }
}

interface Bounds {
  readonly gt: number | bigint;
  readonly gte: number | bigint;
  readonly lt: number | bigint;
  readonly lte: number | bigint;
}

/** A bound that is not set reads as zero: validate.proto is proto2, whose absent fields are told by their prototype. */
function outside(value: number | bigint, bounds: Bounds): boolean {
  const own = (name: keyof Bounds): boolean => Object.hasOwn(bounds, name);
  const above = (!own("gt") || value > bounds.gt) && (!own("gte") || value >= bounds.gte);
  const below = (!own("lt") || value < bounds.lt) && (!own("lte") || value <= bounds.lte);
  const low = own("gt") ? bounds.gt : bounds.gte;
  const high = own("lt") ? bounds.lt : bounds.lte;
  const inverted = (own("gt") || own("gte")) && (own("lt") || own("lte")) && high < low;
  return inverted ? !above && !below : !above || !below;
}

function isMessage(value: unknown): value is ReflectMessage {
  return typeof value === "object" && value !== null && "desc" in value && "message" in value;
}

function at(path: string, name: string): string {
  return path === "" ? name : `${path}.${name}`;
}
