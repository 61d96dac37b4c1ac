import type { DebugSources } from "./sources.ts";

/** The metrics page's text. `SignalboxMetrics` has this shape. */
export interface MetricsText {
  readonly contentType: string;
  text(): Promise<string>;
}

/** An answer of the REST-JSON form of xDS, or of the API under `/v1`. */
export interface RestAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | Uint8Array;
}

/** A request of the API under `/v1`. `ApiRequest` of `@signalbox/api` has this shape. */
export interface ApiRequestView {
  readonly method: string;
  /** As it came, with its escapes and without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Empty where there is none. */
  readonly body: Buffer;
  /** Address of the peer, for a journal. */
  readonly remote?: string;
}

/** Options of `createDebugServer`. */
export interface DebugServerOptions {
  readonly sources: DebugSources;
  readonly metrics?: MetricsText;
  /** Address to listen on, 127.0.0.1 by default. `::1` and `::` are fine. */
  readonly host?: string;
  /** 0 for any free port. */
  readonly port: number;
  /** Host names, besides `localhost`, by which browsers may call this server. */
  readonly allowedHosts?: readonly string[];
  /** Whether `/debug/pprof/*` answers. Off by default. */
  readonly profile?: boolean;
  /**
   * Answers `POST /v3/discovery:<type>`: gets the path and the body as it came, at most `restBodyLimit` bytes. Without it
   * these paths answer 404, as they do when it says `undefined`. `createRestDiscovery` of `@signalbox/xds-server` fits.
   */
  readonly rest?: (path: string, body: Buffer) => Promise<RestAnswer | undefined>;
  /** Bytes; 4 MiB by default, as gRPC's limit for one message. */
  readonly restBodyLimit?: number;
  /**
   * Answers everything below `/v1/`, whatever the method; the body is handed on as it came, at most 16 KiB. Without it these paths answer
   * 404, as they do when it says `undefined`. It decides itself who may write. `Api.handle` of `@signalbox/api` fits.
   */
  readonly api?: (request: ApiRequestView) => Promise<RestAnswer | undefined>;
  /** Connections at the same time; 512 by default. */
  readonly maxConnections?: number;
  /** Told about failed handlers. The client gets no details. */
  readonly onError?: (error: Error, path: string) => void;
}
