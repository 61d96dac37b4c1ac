import { create, fromBinary, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { typeUrls, type TypeUrl } from "@signalbox/envoy-api";
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
} from "@signalbox/envoy-api/envoy/service/discovery/v3/discovery";
import { atOnce } from "@signalbox/slices";
import { Inbox } from "../http2/inbox.ts";
import { ReceivedMessage } from "../http2/received-message.ts";
import type { AcceptStream, Peer, StreamCall, StreamHandler } from "../transport.ts";
import type { Turns } from "../turns.ts";

/** A response as a client sees it. */
export interface Received {
  readonly type: TypeUrl;
  readonly version: string;
  readonly nonce: string;
  /** Content by resource name. */
  readonly resources: ReadonlyMap<string, string>;
  readonly removed: readonly string[];
  readonly frame: Uint8Array;
}

/** What the tests put into a resource instead of an Envoy message: its name and a text. */
export function encodeContent(name: string, content: string): Uint8Array {
  return Buffer.from(`${name}=${content}`);
}

function decodeContent(bytes: Uint8Array): [name: string, content: string] {
  const text = Buffer.from(bytes).toString();
  const at = text.indexOf("=");
  return at < 0 ? [text, ""] : [text.slice(0, at), text.slice(at + 1)];
}

/** Name and content of a Cluster or of anything else in a response. */
export type ReadResource = (bytes: Uint8Array) => [name: string, content: string];

/** The client's end of a stream over no transport: the seam's test double. */
export class FakeStream implements StreamCall {
  readonly path: string;
  readonly peer: Peer;
  readonly received: Received[] = [];
  ended: { readonly code: number; readonly message: string } | undefined;
  /** While true, writes stay unfinished. */
  stuck = false;
  readonly #read: ReadResource;
  readonly #unfinished: (() => void)[] = [];
  readonly #inbox: Inbox | undefined;
  #handler: StreamHandler | undefined;

  /** With `turns`, messages come in by an inbox as those of a socket do; else each is taken whole at once. */
  constructor(
    path: string,
    read: ReadResource = decodeContent,
    peer: Peer = { address: "127.0.0.1:1", identities: [] },
    turns?: Turns,
  ) {
    this.path = path;
    this.peer = peer;
    this.#read = read;
    const owner = { deliver: (bytes: Uint8Array) => this.#handler?.message(bytes), pause() {}, resume() {} };
    if (turns !== undefined) this.#inbox = new Inbox(owner, turns, { held: 0, max: Infinity });
  }

  /** Opens the stream; false when the method is not served. */
  open(accept: AcceptStream): boolean {
    this.#handler = accept(this);
    return this.#handler !== undefined;
  }

  write(frame: readonly Uint8Array[], done: () => void): void {
    if (this.ended !== undefined) throw new Error("written after the end");
    if (this.#unfinished.length > 0) throw new Error("two unfinished writes");
    this.received.push(this.#decode(Buffer.concat(frame)));
    this.#unfinished.push(done);
    if (!this.stuck) this.finishWrite();
  }

  end(code: number, message: string): void {
    this.ended = { code, message };
    this.#inbox?.clear();
    this.#handler?.closed();
  }

  /** The socket took what was written. */
  finishWrite(): void {
    this.#unfinished.pop()?.();
  }

  /** The client goes away. */
  close(): void {
    this.#inbox?.clear();
    this.#handler?.closed();
    this.finishWrite();
  }

  sendBytes(bytes: Uint8Array): void {
    if (this.#inbox !== undefined) {
      this.#inbox.put(ReceivedMessage.window(bytes));
      return;
    }
    const steps = this.#handler?.message(bytes);
    if (steps !== undefined) atOnce(steps);
  }

  sotw(request: MessageInitShape<typeof DiscoveryRequestSchema>): void {
    this.sendBytes(toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, request)));
  }

  delta(request: MessageInitShape<typeof DeltaDiscoveryRequestSchema>): void {
    this.sendBytes(toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, request)));
  }

  /** What came since the last call. */
  take(): Received[] {
    return this.received.splice(0);
  }

  #decode(frame: Buffer): Received {
    if (frame[0] !== 0 || frame.readUInt32BE(1) !== frame.length - 5) throw new Error("bad gRPC prefix");
    const message = frame.subarray(5);
    if (/\/Delta[A-Za-z]+$/.test(this.path)) {
      const response = fromBinary(DeltaDiscoveryResponseSchema, message);
      return {
        type: response.typeUrl as TypeUrl,
        version: response.systemVersionInfo,
        nonce: response.nonce,
        resources: new Map(
          response.resources.map((resource) => {
            const [name, content] = this.#read(resource.resource?.value ?? new Uint8Array(0));
            if (name !== resource.name) throw new Error(`${resource.name} carries ${name}`);
            return [name, content];
          }),
        ),
        removed: response.removedResources,
        frame,
      };
    }
    const response = fromBinary(DiscoveryResponseSchema, message);
    const resources = new Map(response.resources.map((any) => this.#read(any.value)));
    if (resources.size !== response.resources.length) throw new Error("a name came twice");
    return {
      type: response.typeUrl as TypeUrl,
      version: response.versionInfo,
      nonce: response.nonce,
      resources,
      removed: [],
      frame,
    };
  }
}

/** Short names of the types, for tables. */
export const { cluster: CDS, endpoint: EDS, listener: LDS, route: RDS, secret: SDS } = typeUrls;
/** The aggregated methods. */
export const sotwAds = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";
/** The aggregated methods. */
export const deltaAds = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
