import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { Client, credentials, type ClientDuplexStream } from "@grpc/grpc-js";
import { typeUrls, type TypeUrl } from "@signalbox/envoy-api";
import {
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  type DeltaDiscoveryResponse,
} from "@signalbox/envoy-api/envoy/service/discovery/v3/discovery";
import { now } from "./time.ts";

interface Ask {
  readonly typeUrl: string;
  readonly responseNonce?: string;
  readonly resourceNamesSubscribe?: string[];
  readonly resourceNamesUnsubscribe?: string[];
}

const method = "/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources";
const isEds = (name: string) => name.startsWith("outbound|");

/** A proxy that asks for everything by delta ADS, as Envoy does, and keeps nothing. `end` must be called. */
export class ProxyClient {
  readonly #client: Client;
  readonly #call: ClientDuplexStream<Ask, DeltaDiscoveryResponse>;
  readonly #asked = new Set<TypeUrl>();
  readonly #waiting = new Set<() => void>();
  readonly #expected = new Map<string, { readonly bytes: Buffer; readonly found: (at: number) => void }>();
  #answered = 0;
  #failure: Error | undefined;

  constructor(port: number, number: number) {
    const [high, low] = [Math.floor(number / 250), 1 + (number % 250)];
    const node = { id: `sidecar~10.250.${high}.${low}~client-${number}.shop~shop.svc.cluster.local`, cluster: "bench" };
    let first = true;
    this.#client = new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
      "grpc.max_receive_message_length": -1,
      // A connection of its own, as every proxy has: else all clients share one, which takes so many streams and no more.
      "grpc.use_local_subchannel_pool": 1,
    });
    this.#call = this.#client.makeBidiStreamRequest(
      method,
      (ask: Ask) => {
        const request = create(DeltaDiscoveryRequestSchema, first ? { ...ask, node } : ask);
        first = false;
        return Buffer.from(toBinary(DeltaDiscoveryRequestSchema, request));
      },
      (bytes: Buffer) => fromBinary(DeltaDiscoveryResponseSchema, bytes),
    );
    this.#call.on("data", (response: DeltaDiscoveryResponse) => this.#take(response));
    this.#call.on("error", (error: Error) => {
      this.#failure = error;
      this.#wake();
    });
    this.#ask(typeUrls.cluster, []);
  }

  /** Resolves when an assignment with an endpoint at this address comes after the call, with when that was, by the clock of `now`. */
  async endpointAt(address: string, signal: AbortSignal): Promise<number> {
    let at: number | undefined;
    const found = (time: number) => (at = time);
    // As the address is written in an assignment: its length, and its text.
    this.#expected.set(address, { bytes: Buffer.from(`${String.fromCharCode(address.length)}${address}`), found });
    try {
      await this.#until(() => at !== undefined, signal);
    } finally {
      this.#expected.delete(address);
    }
    return at ?? 0;
  }

  /** Resolves when each of the four types was answered. */
  complete(signal: AbortSignal): Promise<void> {
    return this.#until(() => this.#answered === 4, signal);
  }

  /** Reads no more. */
  pause(): void {
    this.#call.pause();
  }

  end(): void {
    this.#call.cancel();
    this.#client.close();
  }

  async #until(reached: () => boolean, signal: AbortSignal): Promise<void> {
    while (!reached()) {
      signal.throwIfAborted();
      if (this.#failure !== undefined) throw this.#failure;
      await new Promise<void>((resolve) => {
        const wake = () => {
          signal.removeEventListener("abort", wake);
          this.#waiting.delete(wake);
          resolve();
        };
        this.#waiting.add(wake);
        signal.addEventListener("abort", wake, { once: true });
      });
    }
  }

  #wake(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  #ask(type: TypeUrl, names: string[]): void {
    this.#asked.add(type);
    this.#call.write({ typeUrl: type, resourceNamesSubscribe: names });
  }

  #take({ nonce, removedResources, resources, typeUrl }: DeltaDiscoveryResponse): void {
    this.#call.write({ typeUrl, responseNonce: nonce });
    const names = resources.map(({ name }) => name).filter(isEds);
    if (typeUrl === typeUrls.cluster) {
      const gone = removedResources.filter(isEds);
      const ask = { typeUrl: typeUrls.endpoint, resourceNamesSubscribe: names, resourceNamesUnsubscribe: gone };
      if (names.length + gone.length > 0) this.#call.write(ask);
      this.#next(typeUrls.cluster, typeUrls.endpoint);
    } else if (typeUrl === typeUrls.endpoint) {
      if (this.#next(typeUrls.endpoint, typeUrls.listener)) this.#ask(typeUrls.listener, []);
      for (const { resource } of resources) this.#look(resource?.value);
    } else if (typeUrl === typeUrls.listener) {
      if (this.#next(typeUrls.listener, typeUrls.route)) this.#ask(typeUrls.route, ["80"]);
    } else if (typeUrl === typeUrls.route && this.#answered === 3) {
      this.#answered = 4;
    }
    this.#wake();
  }

  /** Counts the first answer of a type. True when the next one is to be asked for. */
  #next(type: TypeUrl, next: TypeUrl): boolean {
    const order: readonly TypeUrl[] = [typeUrls.cluster, typeUrls.endpoint, typeUrls.listener];
    if (this.#answered !== order.indexOf(type)) return false;
    this.#answered++;
    return !this.#asked.has(next);
  }

  #look(assignment: Uint8Array | undefined): void {
    if (this.#expected.size === 0 || assignment === undefined) return;
    const bytes = Buffer.from(assignment.buffer, assignment.byteOffset, assignment.byteLength);
    for (const expected of this.#expected.values()) if (bytes.includes(expected.bytes)) expected.found(now());
  }
}
