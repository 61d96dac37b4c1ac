import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { TypeUrl } from "@signalbox/envoy-api";
import { Cluster_DiscoveryType, ClusterSchema } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import { resourceOf, type Resource } from "../resource.ts";
import type { AcceptStream } from "../transport.ts";
import type { Turns } from "../turns.ts";
import { CDS, deltaAds, encodeContent, FakeStream, LDS, sotwAds, type Received } from "./fake-stream.ts";

/** A resource as the model test uses it; clusters are real ones, so that their endpoints follow them. */
export function modelResource(type: TypeUrl, name: string, content: string): Resource {
  if (type !== CDS) return resourceOf(name, encodeContent(name, content));
  const cluster = create(ClusterSchema, {
    name,
    altStatName: content,
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.EDS },
  });
  return resourceOf(name, toBinary(ClusterSchema, cluster));
}

function readModelResource(bytes: Uint8Array): [string, string] {
  if (bytes[0] === 0x0a) {
    const { name, altStatName } = fromBinary(ClusterSchema, bytes);
    return [name, altStatName];
  }
  const [name = "", content = ""] = Buffer.from(bytes).toString().split("=");
  return [name, content];
}

interface Interest {
  /** `undefined`: never asked on this stream. */
  names: readonly string[] | undefined;
  /** What the server said last. */
  held: Map<string, string>;
  nonce: string;
  version: string;
  /** What the client took: all that was said but what it refused. It comes back with this. */
  readonly accepted: Map<string, string>;
}

function newInterest(): Interest {
  return { names: undefined, held: new Map(), nonce: "", version: "", accepted: new Map() };
}

/** A client that follows the specification: it folds what it receives and asks by what it has. */
export class ModelClient {
  readonly #protocol: "sotw" | "delta";
  readonly #accept: AcceptStream;
  readonly #turns: Turns | undefined;
  readonly #interests = new Map<TypeUrl, Interest>();
  #stream: FakeStream;
  #introduced = false;

  /** With `turns`, what it sends comes in as from a socket. */
  constructor(protocol: "sotw" | "delta", accept: AcceptStream, turns?: Turns) {
    this.#protocol = protocol;
    this.#accept = accept;
    this.#turns = turns;
    this.#stream = this.#open();
  }

  get stream(): FakeStream {
    return this.#stream;
  }

  #open(): FakeStream {
    const path = this.#protocol === "sotw" ? sotwAds : deltaAds;
    const stream = new FakeStream(path, readModelResource, undefined, this.#turns);
    stream.open(this.#accept);
    this.#introduced = false;
    return stream;
  }

  #first(): { node?: { id: string } } {
    if (this.#introduced) return {};
    this.#introduced = true;
    return { node: { id: "n" } };
  }

  /** Asks for exactly these names; `*` is everything, `[]` nothing. */
  subscribe(typeUrl: TypeUrl, names: readonly string[]): void {
    // A response to an earlier, named delta subscription must not be taken for one to the wildcard.
    if (this.#protocol === "delta" && names.includes("*")) this.process(Infinity, false);
    const interest = this.#interests.get(typeUrl) ?? newInterest();
    this.#interests.set(typeUrl, interest);
    const before = interest.names;
    interest.names = names;
    if (this.#protocol === "sotw") this.#requestSotw(typeUrl, interest);
    else this.#requestDelta(typeUrl, interest, before, {});
  }

  #requestSotw(typeUrl: TypeUrl, { names, nonce, version }: Interest, error?: string): void {
    this.#stream.sotw({
      ...this.#first(),
      typeUrl,
      resourceNames: names === undefined || names.length === 0 ? [""] : [...names],
      versionInfo: version,
      responseNonce: nonce,
      ...(error === undefined ? {} : { errorDetail: { message: error } }),
    });
  }

  #requestDelta(
    typeUrl: TypeUrl,
    interest: Interest,
    before: readonly string[] | undefined,
    initialResourceVersions: Record<string, string>,
  ): void {
    const names = interest.names ?? [];
    const resourceNamesUnsubscribe = (before ?? []).filter((name) => !names.includes(name));
    const resourceNamesSubscribe = names.filter((name) => before?.includes(name) !== true);
    if (!names.includes("*")) {
      for (const map of [interest.held, interest.accepted]) {
        for (const name of map.keys()) if (!names.includes(name)) map.delete(name);
      }
    }
    const request = { typeUrl, resourceNamesSubscribe, resourceNamesUnsubscribe, initialResourceVersions };
    // A first request that names nothing would be the old wildcard.
    if (before === undefined && resourceNamesSubscribe.length === 0) {
      interest.names = undefined;
      return;
    }
    this.#stream.delta({ ...this.#first(), ...request });
  }

  /** Takes the oldest `count` responses and answers them. */
  process(count: number, refuse: boolean): number {
    const responses = this.#stream.received.splice(0, count);
    for (const response of responses) this.#fold(response, refuse);
    return responses.length;
  }

  #fold(response: Received, refuse: boolean): void {
    const { type: typeUrl, nonce } = response;
    const interest = this.#interests.get(typeUrl);
    if (interest === undefined) throw new Error(`${typeUrl} was never asked for`);
    interest.nonce = nonce;
    if (this.#protocol === "sotw") {
      if (typeUrl === CDS || typeUrl === LDS) interest.held.clear();
      for (const [name, content] of response.resources) interest.held.set(name, content);
      if (!refuse) {
        interest.version = response.version;
        if (typeUrl === CDS || typeUrl === LDS) interest.accepted.clear();
        for (const [name, content] of response.resources) interest.accepted.set(name, content);
      }
      this.#requestSotw(typeUrl, interest, refuse ? "no" : undefined);
      return;
    }
    for (const map of refuse ? [interest.held] : [interest.held, interest.accepted]) {
      for (const [name, content] of response.resources) if (this.#wants(interest, name)) map.set(name, content);
      for (const name of response.removed) map.delete(name);
    }
    this.#stream.delta({ typeUrl, responseNonce: nonce, ...(refuse ? { errorDetail: { message: "no" } } : {}) });
  }

  #wants({ names }: Interest, name: string): boolean {
    return names !== undefined && (names.includes("*") || names.includes(name));
  }

  /** Loses the stream and comes back with what it holds. */
  reconnect(): void {
    this.#stream.close();
    this.#stream = this.#open();
    for (const [typeUrl, interest] of this.#interests) {
      interest.nonce = "";
      const { names } = interest;
      if (names === undefined || names.length === 0) {
        Object.assign(interest, newInterest());
        continue;
      }
      interest.held = new Map(interest.accepted);
      if (this.#protocol === "sotw") {
        this.#requestSotw(typeUrl, interest);
      } else {
        const versions = [...interest.held].map(([name, content]): [string, string] => [
          name,
          modelResource(typeUrl, name, content).version,
        ]);
        this.#requestDelta(typeUrl, interest, undefined, Object.fromEntries(versions));
      }
    }
  }

  /** What is asked for and what is held, of the types in use. */
  *state(): Iterable<{ type: TypeUrl; wants: (name: string) => boolean; held: ReadonlyMap<string, string> }> {
    for (const [type, interest] of this.#interests) {
      yield { type, wants: (name) => this.#wants(interest, name), held: interest.held };
    }
  }
}
