import { clone, create, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { reflect, type ReflectMessage } from "@bufbuild/protobuf/reflect";
import { anyPack, anyUnpack, type Any } from "@bufbuild/protobuf/wkt";
import { anyRegistry } from "@signalbox/envoy-api";

/** What happens to lists that both sides have: those of the patch come after, or alone. */
export type Lists = "append" | "replace";

/**
 * Puts what is set in `source` into `target`: scalars and durations replace, messages merge, maps by key, lists as told. A wrapper that
 * holds its zero value sets nothing, as in Istio's merge. The source is not changed and shares nothing with the target.
 */
export function mergeInto<D extends DescMessage>(
  schema: D,
  target: MessageShape<D>,
  source: MessageShape<D>,
  lists: Lists,
): void {
  mergeReflected(reflect(schema, target, false), reflect(schema, clone(schema, source), false), lists);
}

/** Two packed messages of one type as one. Throws where the types differ or are not known: there is no merge of those. */
export function mergeAny(target: Any, source: Any): Any {
  if (target.typeUrl !== source.typeUrl)
    throw new Error(`cannot merge ${nameOf(source.typeUrl)} into ${nameOf(target.typeUrl)}`);
  const schema = anyRegistry.getMessage(nameOf(target.typeUrl));
  if (schema === undefined) throw new Error(`cannot merge ${nameOf(target.typeUrl)}: its fields are not known here`);
  const merged = anyUnpack(target, anyRegistry) ?? create(schema);
  mergeInto(schema, merged, anyUnpack(source, anyRegistry) ?? create(schema), "append");
  return anyPack(schema, merged);
}

function nameOf(typeUrl: string): string {
  return typeUrl.slice(typeUrl.lastIndexOf("/") + 1);
}

function mergeReflected(target: ReflectMessage, source: ReflectMessage, lists: Lists): void {
  for (const field of source.fields) {
    if (!source.isSet(field)) continue;
    switch (field.fieldKind) {
      case "list": {
        const list = target.get(field);
        if (lists === "replace") list.clear();
        for (const item of source.get(field)) list.add(item);
        break;
      }
      case "map": {
        const map = target.get(field);
        for (const [key, value] of source.get(field)) map.set(key, value);
        break;
      }
      case "message": {
        const from = source.get(field);
        if (field.message.typeName === "google.protobuf.Duration" || !target.isSet(field)) target.set(field, from);
        else {
          const into = target.get(field);
          mergeReflected(into, from, lists);
          target.set(field, into);
        }
        break;
      }
      default:
        target.set(field, source.get(field));
    }
  }
  const unknown = source.getUnknown();
  if (unknown !== undefined && unknown.length > 0) target.setUnknown([...(target.getUnknown() ?? []), ...unknown]);
}
