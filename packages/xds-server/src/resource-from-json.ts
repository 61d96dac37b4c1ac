import { fromJson, toBinary, type JsonValue } from "@bufbuild/protobuf";
import { anyRegistry, type TypeUrl } from "@signalbox/envoy-api";
import { resourceOf, type Resource } from "./resource.ts";

/**
 * Makes a resource of proto3 JSON, the form that Envoy's documentation shows as YAML. Its name is the message's `name`,
 * or `clusterName` for endpoints. Throws an Error that names the field when the JSON is no such message, and when the
 * type is unknown or the message has no name.
 */
export function resourceFromJson(type: TypeUrl, json: JsonValue): Resource {
  const schema = anyRegistry.getMessage(type.slice(type.indexOf("/") + 1));
  if (schema === undefined) throw new Error(`unknown resource type ${type}`);
  const message = fromJson(schema, json, { registry: anyRegistry });
  const { name, clusterName } = message as { readonly name?: string; readonly clusterName?: string };
  const given = name ?? clusterName ?? "";
  if (given === "") throw new Error(`a resource of type ${type} needs a name`);
  return resourceOf(given, toBinary(schema, message));
}
