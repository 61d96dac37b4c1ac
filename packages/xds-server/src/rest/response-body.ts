import { create, toJson, type JsonValue } from "@bufbuild/protobuf";
import { AnySchema } from "@bufbuild/protobuf/wkt";
import { anyRegistry, type TypeUrl } from "@signalbox/envoy-api";
import { DiscoveryResponseSchema } from "@signalbox/envoy-api/envoy/service/discovery/v3/discovery";
import type { Steps } from "@signalbox/slices";
import { byCodeUnits } from "../code-units.ts";
import type { Resource } from "../resource.ts";

/** JSON of a resource, encoded once. */
const encoded = new WeakMap<Resource, Buffer>();

/**
 * A DiscoveryResponse with these resources as JSON, in name order. Between two steps anything may happen: resources do not change, and
 * which ones are in it is settled when the first step begins.
 */
export function* responseBody(
  typeUrl: TypeUrl,
  versionInfo: string,
  resources: readonly Resource[],
): Steps<Uint8Array> {
  const sorted = [...resources].sort((a, b) => byCodeUnits(a.name, b.name));
  yield;
  const head = toJson(DiscoveryResponseSchema, create(DiscoveryResponseSchema, { versionInfo, typeUrl }));
  const empty = JSON.stringify({ ...(head as Record<string, JsonValue>), resources: [] });
  const closing = "]}";
  const parts: Buffer[] = [Buffer.from(empty.slice(0, -closing.length))];
  for (const [at, resource] of sorted.entries()) {
    if (at > 0) parts.push(comma);
    parts.push(jsonOf(typeUrl, resource));
    yield;
  }
  parts.push(Buffer.from(closing));
  return yield* joined(parts);
}

const comma = Buffer.from(",");
/** So many bytes are copied in one step. */
const stepBytes = 256 * 1024;

function* joined(parts: readonly Buffer[]): Steps<Uint8Array> {
  const body = Buffer.allocUnsafeSlow(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  let copied = 0;
  for (const part of parts) {
    body.set(part, at);
    at += part.length;
    if (at - copied < stepBytes) continue;
    copied = at;
    yield;
  }
  return body;
}

function jsonOf(typeUrl: TypeUrl, resource: Resource): Buffer {
  let json = encoded.get(resource);
  if (json === undefined) {
    const any = create(AnySchema, { typeUrl, value: resource.bytes });
    json = Buffer.from(JSON.stringify(toJson(AnySchema, any, { registry: anyRegistry })));
    encoded.set(resource, json);
  }
  return json;
}
