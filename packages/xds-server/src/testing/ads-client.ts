import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { Client, Metadata } from "@grpc/grpc-js";
import type { ChannelCredentials, ClientDuplexStream, StatusObject } from "@grpc/grpc-js";
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
} from "@signalbox/envoy-api/envoy/service/discovery/v3/discovery";
import type {
  DeltaDiscoveryResponse,
  DiscoveryResponse,
} from "@signalbox/envoy-api/envoy/service/discovery/v3/discovery";

const ads = "/envoy.service.discovery.v3.AggregatedDiscoveryService";

/** One ADS stream of a grpc-js client. */
export interface AdsStream<Request, Response> {
  readonly send: (request: Request) => void;
  /** All responses so far, oldest first. */
  readonly responses: readonly Response[];
  readonly status: Promise<StatusObject>;
  readonly close: () => void;
}

function open<Request, Response>(
  address: string,
  credentials: ChannelCredentials,
  method: string,
  encode: (request: Request) => Uint8Array,
  decode: (bytes: Uint8Array) => Response,
): AdsStream<Request, Response> {
  const client = new Client(address, credentials, { "grpc.use_local_subchannel_pool": 1 });
  const stream: ClientDuplexStream<Request, Response> = client.makeBidiStreamRequest(
    `${ads}/${method}`,
    (request: Request) => Buffer.from(encode(request)),
    decode,
    new Metadata(),
  );
  const responses: Response[] = [];
  stream.on("data", (response: Response) => responses.push(response));
  stream.on("error", () => {
    // The status says it too.
  });
  const status = new Promise<StatusObject>((resolve) => stream.on("status", resolve));
  return {
    send: (request) => stream.write(request),
    responses,
    status,
    close: () => {
      stream.cancel();
      client.close();
    },
  };
}

/** Opens `StreamAggregatedResources` with grpc-js. For tests. */
export function openSotw(
  address: string,
  credentials: ChannelCredentials,
): AdsStream<MessageInitShape<typeof DiscoveryRequestSchema>, DiscoveryResponse> {
  return open(
    address,
    credentials,
    "StreamAggregatedResources",
    (request) => toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, request)),
    (bytes) => fromBinary(DiscoveryResponseSchema, bytes),
  );
}

/** Opens `DeltaAggregatedResources` with grpc-js. For tests. */
export function openDelta(
  address: string,
  credentials: ChannelCredentials,
): AdsStream<MessageInitShape<typeof DeltaDiscoveryRequestSchema>, DeltaDiscoveryResponse> {
  return open(
    address,
    credentials,
    "DeltaAggregatedResources",
    (request) => toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, request)),
    (bytes) => fromBinary(DeltaDiscoveryResponseSchema, bytes),
  );
}
