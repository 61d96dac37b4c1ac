import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import * as grpc from "@grpc/grpc-js";
import { anyRegistry, type TypeUrl } from "@signalbox/envoy-api";
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
  type DeltaDiscoveryResponse,
  type DiscoveryResponse,
} from "@signalbox/envoy-api/envoy/service/discovery/v3/discovery";

const ads = "/envoy.service.discovery.v3.AggregatedDiscoveryService";
const raw = (bytes: Uint8Array) => Buffer.from(bytes);

interface FirstAsk {
  readonly node: { readonly id: string; readonly cluster: string; readonly metadata: Record<string, string> };
}
interface SotwAsk {
  readonly typeUrl: string;
  readonly resourceNames: string[];
  readonly versionInfo: string;
  readonly responseNonce: string;
}
interface DeltaAsk {
  readonly typeUrl: string;
  readonly responseNonce?: string;
  readonly resourceNamesSubscribe?: string[];
  readonly resourceNamesUnsubscribe?: string[];
  readonly initialResourceVersions?: Record<string, string>;
}

/** A response and the moment at which the test may look at it: everything before it is here. */
interface Inbox<T> {
  readonly all: T[];
  push(message: T): void;
  next(predicate: (message: T) => boolean, deadlineMs: number): Promise<T>;
}

function inbox<T>(): Inbox<T> {
  const all: T[] = [];
  let taken = 0;
  let wake: (() => void) | undefined;
  return {
    all,
    push(message) {
      all.push(message);
      wake?.();
    },
    async next(predicate, deadlineMs) {
      const signal = AbortSignal.timeout(deadlineMs);
      for (;;) {
        for (; taken < all.length; taken++) {
          const message = all[taken];
          if (message !== undefined && predicate(message)) {
            taken++;
            return message;
          }
        }
        await new Promise<void>((resolve, reject) => {
          wake = resolve;
          signal.addEventListener("abort", () => {
            reject(new Error(`no matching response within ${deadlineMs} ms; ${all.length} seen`));
          });
        });
      }
    },
  };
}

/** Connects with grpc-js, an implementation of gRPC that is independent of the server's. */
export function connect(port: number): grpc.Client {
  return new grpc.Client(`127.0.0.1:${port}`, grpc.credentials.createInsecure(), {
    "grpc.max_receive_message_length": -1,
  });
}

/** One SotW stream. It acknowledges what it gets, unless `refuse` gives a reason not to. */
export function sotwStream(
  client: grpc.Client,
  node: string,
  metadata: Record<string, string> = {},
  { refuse = () => undefined }: { readonly refuse?: (response: DiscoveryResponse) => string | undefined } = {},
) {
  const call = client.makeBidiStreamRequest(
    `${ads}/StreamAggregatedResources`,
    (request: SotwAsk & Partial<FirstAsk>) =>
      raw(toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, request))),
    (bytes: Buffer) => fromBinary(DiscoveryResponseSchema, bytes),
  );
  const responses = inbox<DiscoveryResponse>();
  const names = new Map<string, string[]>();
  const accepted = new Map<string, string>();
  let first = true;
  const send = (request: SotwAsk) => {
    call.write(first ? { ...request, node: { id: node, cluster: "test", metadata } } : request);
    first = false;
  };
  call.on("data", (response: DiscoveryResponse) => {
    const reason = refuse(response);
    if (reason === undefined) accepted.set(response.typeUrl, response.versionInfo);
    send({
      typeUrl: response.typeUrl,
      versionInfo: accepted.get(response.typeUrl) ?? "",
      responseNonce: response.nonce,
      resourceNames: names.get(response.typeUrl) ?? [],
      ...(reason === undefined ? {} : { errorDetail: { code: 3, message: reason } }),
    });
    responses.push(response);
  });
  call.on("error", () => undefined);
  return {
    responses: responses.all,
    send,
    /** Subscribes by name; no names is the wildcard. `version` is what the client still has from an earlier stream. */
    subscribe(type: TypeUrl, resourceNames: string[] = [], version = "") {
      names.set(type, resourceNames);
      const last = responses.all.findLast((response) => response.typeUrl === type);
      send({
        typeUrl: type,
        resourceNames,
        versionInfo: accepted.get(type) ?? version,
        responseNonce: last?.nonce ?? "",
      });
    },
    next: (type: TypeUrl, deadlineMs = 10_000) => responses.next((response) => response.typeUrl === type, deadlineMs),
    /** Stops reading. */
    pause: () => {
      call.pause();
    },
    close: () => {
      call.cancel();
    },
  };
}

/** One delta stream that acknowledges what it gets. */
export function deltaStream(client: grpc.Client, node: string, metadata: Record<string, string> = {}) {
  const call = client.makeBidiStreamRequest(
    `${ads}/DeltaAggregatedResources`,
    (request: DeltaAsk & Partial<FirstAsk>) =>
      raw(toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, request))),
    (bytes: Buffer) => fromBinary(DeltaDiscoveryResponseSchema, bytes),
  );
  const responses = inbox<DeltaDiscoveryResponse>();
  let first = true;
  const send = (request: DeltaAsk) => {
    call.write(first ? { ...request, node: { id: node, cluster: "test", metadata } } : request);
    first = false;
  };
  call.on("data", (response: DeltaDiscoveryResponse) => {
    send({ typeUrl: response.typeUrl, responseNonce: response.nonce });
    responses.push(response);
  });
  call.on("error", () => undefined);
  return {
    responses: responses.all,
    send,
    subscribe(
      type: TypeUrl,
      resourceNamesSubscribe: string[] = [],
      initialResourceVersions: Record<string, string> = {},
    ) {
      send({ typeUrl: type, resourceNamesSubscribe, initialResourceVersions });
    },
    next: (type: TypeUrl, deadlineMs = 10_000) => responses.next((response) => response.typeUrl === type, deadlineMs),
    close: () => {
      call.cancel();
    },
  };
}

/** Names of the resources in a SotW response, sorted. */
export function resourceNames(response: DiscoveryResponse): string[] {
  return response.resources
    .map((resource) => {
      const message = anyUnpack(resource, anyRegistry) as { name?: string; clusterName?: string } | undefined;
      return message?.name ?? message?.clusterName ?? "?";
    })
    .sort();
}
