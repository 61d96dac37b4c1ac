import { create, toBinary, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { anyPack, DurationSchema, type Any, type Duration } from "@bufbuild/protobuf/wkt";
import { AddressSchema, type Address as EnvoyAddress } from "@signalbox/envoy-api/envoy/config/core/v3/address";
import {
  AggregatedConfigSourceSchema,
  ApiVersion,
  ConfigSourceSchema,
  type ConfigSource,
} from "@signalbox/envoy-api/envoy/config/core/v3/config_source";

/** A message of this type as a plain initialiser, which can be spread and extended before it is encoded. */
export type Init<D extends DescMessage> = Extract<MessageInitShape<D>, { readonly $typeName?: never }>;

/** A protobuf duration of so many milliseconds. */
export function duration(milliseconds: number): Duration {
  const seconds = Math.floor(milliseconds / 1000);
  return create(DurationSchema, {
    seconds: BigInt(seconds),
    nanos: Math.round((milliseconds - seconds * 1000) * 1_000_000),
  });
}

/** A message packed in `Any`, from its initialiser. */
export function packed<D extends DescMessage>(schema: D, init: MessageInitShape<D>): Any {
  return anyPack(schema, create(schema, init));
}

/** The bytes of a message, from its initialiser. */
export function encoded<D extends DescMessage>(schema: D, init: MessageInitShape<D>): Uint8Array<ArrayBuffer> {
  return toBinary(schema, create(schema, init));
}

const ownStream = { case: "ads", value: create(AggregatedConfigSourceSchema) } as const;

/** "Ask for it on the stream that brought this": no deadline, as Istio sets it, so that a slow server is not an empty answer. */
export function adsSource(): ConfigSource {
  return create(ConfigSourceSchema, {
    configSourceSpecifier: ownStream,
    initialFetchTimeout: duration(0),
    resourceApiVersion: ApiVersion.V3,
  });
}

/** A TCP address. */
export function socketAddress(address: string, port: number): EnvoyAddress {
  return create(AddressSchema, {
    address: {
      case: "socketAddress",
      value: { address, portSpecifier: { case: "portValue", value: port } },
    },
  });
}
