import type { TypeUrl } from "@signalbox/envoy-api";
import type { Node } from "@signalbox/envoy-api/envoy/config/core/v3/base";
import type { AddressInfo } from "node:net";
import { isIP } from "node:net";
import type { XdsClock } from "./clock.ts";
import type { ClientStatus, XdsEvent } from "./events.ts";
import { defaultTransportLimits } from "./http2/limits.ts";
import type { TransportLimits } from "./http2/limits.ts";
import { GrpcListener } from "./http2/listener.ts";
import type { GrpcListenerStatus } from "./http2/listener.ts";
import { createXdsProtocol } from "./protocol/xds-protocol.ts";
import type { XdsLimits } from "./protocol/xds-protocol.ts";
import { XdsServerError } from "./server-error.ts";
import type { ResourceSource } from "./source.ts";
import { followCertificates, loadCertificates } from "./tls/certificates.ts";
import type { CertificateFiles } from "./tls/certificates.ts";
import type { Peer } from "./transport.ts";
import { Turns } from "./turns.ts";

/** Where a port is opened. */
export interface ListenAddress {
  /** An IP address or `localhost`; `127.0.0.1` when absent. */
  readonly host?: string;
  /** `0` takes a free port. */
  readonly port: number;
}

/** A port with mutual TLS: only clients whose certificate the authorities in `caFile` signed. */
export interface TlsListenAddress extends ListenAddress, CertificateFiles {
  /** Milliseconds between two looks at the certificate files; 1000 when absent. */
  readonly reloadMs?: number;
}

/** What `createXdsServer` needs: a source, and at least one address. */
export interface XdsServerOptions {
  readonly source: ResourceSource;
  readonly plaintext?: ListenAddress;
  readonly tls?: TlsListenAddress;
  /** Allows plaintext on an address that other machines reach. */
  readonly insecure?: boolean;
  readonly limits?: Partial<TransportLimits & XdsLimits>;
  /** Milliseconds to wait for a client's ACK or NACK before the next response of a type; 5000 when absent. */
  readonly answerTimeoutMs?: number;
  /**
   * Called with the node of a stream's first request and whoever sent it. A returned text refuses the client: its stream
   * ends with PERMISSION_DENIED and this reason. All clients are served when absent.
   */
  readonly authorize?: (node: Node, peer: Peer) => string | undefined;
  /** `control_plane.identifier` of every response; left out when absent. */
  readonly controlPlane?: string;
  /** Called synchronously for everything that happens; must not throw. */
  readonly onEvent?: (event: XdsEvent) => void;
  readonly clock?: XdsClock;
}

/** The addresses that are open. */
export interface XdsServerAddresses {
  readonly plaintext?: AddressInfo;
  readonly tls?: AddressInfo;
}

/** What the server holds now. */
export interface XdsServerStatus {
  /** One entry for each open stream, oldest first. */
  readonly clients: readonly ClientStatus[];
  readonly plaintext?: GrpcListenerStatus;
  readonly tls?: GrpcListenerStatus;
}

/** An xDS server. */
export interface XdsServer {
  /**
   * Opens all ports, or none. Rejects with `XdsServerError` `SBX_XDS_LISTEN` or `SBX_XDS_CERTIFICATE`; with the former
   * also when the server is closed meanwhile. May be called once.
   */
  listen(): Promise<XdsServerAddresses>;
  status(): XdsServerStatus;
  /**
   * The names that a stream of `status()` subscribed to, sorted, for each type that it asked for; the wildcard is not among
   * them. Copied out on each call. Empty for a stream that is not open.
   */
  watchedNames(stream: number): ReadonlyMap<TypeUrl, readonly string[]>;
  /**
   * Stops listening, asks all clients to go elsewhere, ends their streams with UNAVAILABLE one by one over `ms`
   * milliseconds, and destroys what is left after the connection grace. Resolves when every socket is gone. May be called
   * again to shorten it; the signal ends the streams that are left at once.
   */
  drain(ms: number, signal?: AbortSignal): Promise<void>;
  /** As `drain(0)`, also while a longer one is under way. */
  close(): Promise<void>;
}

const defaultReloadMs = 1_000;

/**
 * Makes an xDS server for whatever `source` holds: SotW and delta, aggregated and by type, on plaintext and mutual TLS.
 * Throws `XdsServerError` `SBX_XDS_NO_ADDRESS` without an address, and `SBX_XDS_INSECURE` for plaintext beyond loopback
 * without `insecure: true`.
 */
export function createXdsServer(options: XdsServerOptions): XdsServer {
  const { plaintext, tls, insecure = false } = options;
  if (plaintext === undefined && tls === undefined) {
    throw new XdsServerError("SBX_XDS_NO_ADDRESS", "neither a plaintext nor a TLS address is given");
  }
  if (plaintext !== undefined && !insecure && !isLoopback(hostOf(plaintext))) {
    throw new XdsServerError(
      "SBX_XDS_INSECURE",
      `plaintext on ${hostOf(plaintext)} is open to other machines: use TLS, or say insecure: true`,
    );
  }
  return new Server(options);
}

class Server implements XdsServer {
  readonly #options: XdsServerOptions;
  readonly #limits: TransportLimits;
  readonly #protocol: ReturnType<typeof createXdsProtocol>;
  readonly #stop = new AbortController();
  #plaintext: GrpcListener | undefined;
  #tls: GrpcListener | undefined;
  #following: Promise<void> | undefined;

  constructor(options: XdsServerOptions) {
    const { source, limits, answerTimeoutMs, authorize, controlPlane, onEvent, clock } = options;
    this.#options = options;
    this.#limits = { ...defaultTransportLimits, ...limits };
    this.#protocol = createXdsProtocol({
      source,
      turns: new Turns(() => performance.now()),
      monotonic: () => performance.now(),
      ...(limits === undefined ? {} : { limits }),
      ...(answerTimeoutMs === undefined ? {} : { answerTimeoutMs }),
      ...(authorize === undefined ? {} : { authorize }),
      ...(controlPlane === undefined ? {} : { controlPlane }),
      ...(onEvent === undefined ? {} : { onEvent }),
      ...(clock === undefined ? {} : { clock }),
    });
  }

  async listen(): Promise<XdsServerAddresses> {
    const { plaintext, tls } = this.#options;
    this.#mustBeOpen();
    try {
      return {
        ...(plaintext === undefined ? {} : { plaintext: await this.#listenPlaintext(plaintext) }),
        ...(tls === undefined ? {} : { tls: await this.#listenTls(tls) }),
      };
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  status(): XdsServerStatus {
    return {
      clients: this.#protocol.status(),
      ...(this.#plaintext === undefined ? {} : { plaintext: this.#plaintext.status() }),
      ...(this.#tls === undefined ? {} : { tls: this.#tls.status() }),
    };
  }

  watchedNames(stream: number): ReadonlyMap<TypeUrl, readonly string[]> {
    return this.#protocol.watchedNames(stream);
  }

  async drain(ms: number, signal?: AbortSignal): Promise<void> {
    this.#stop.abort();
    await Promise.all([this.#plaintext?.drain(ms, signal), this.#tls?.drain(ms, signal), this.#following]);
  }

  close(): Promise<void> {
    return this.drain(0);
  }

  async #listenPlaintext(address: ListenAddress): Promise<AddressInfo> {
    this.#plaintext = this.#listener();
    const opened = await listenOn(this.#plaintext, address);
    this.#mustBeOpen();
    return opened;
  }

  /** `close` may have been called during any wait of `listen`. */
  #mustBeOpen(): void {
    if (this.#stop.signal.aborted) throw new XdsServerError("SBX_XDS_LISTEN", "the server is closed");
  }

  async #listenTls(address: TlsListenAddress): Promise<AddressInfo> {
    // The port before this one may have taken a while to open.
    this.#mustBeOpen();
    const certificates = await loadCertificates(address);
    this.#mustBeOpen();
    const listener = this.#listener({ ...certificates });
    this.#tls = listener;
    const opened = await listenOn(listener, address);
    this.#mustBeOpen();
    const { certFile, reloadMs = defaultReloadMs } = address;
    this.#following = followCertificates(
      address,
      {
        current: certificates,
        everyMs: reloadMs,
        onChange: (changed) => {
          listener.setSecureContext({ ...changed });
          this.#options.onEvent?.({ type: "certificates", certFile });
        },
        onRejected: (error) => this.#options.onEvent?.({ type: "certificates", certFile, error }),
      },
      this.#stop.signal,
    );
    return opened;
  }

  #listener(tls?: { cert: Buffer; key: Buffer; ca: Buffer }): GrpcListener {
    return new GrpcListener({
      accept: this.#protocol.accept,
      limits: this.#limits,
      onRefused: (peer, reason) => this.#options.onEvent?.({ type: "refused", peer, reason }),
      ...(tls === undefined ? {} : { tls }),
    });
  }
}

async function listenOn(listener: GrpcListener, address: ListenAddress): Promise<AddressInfo> {
  try {
    return await listener.listen(address.port, hostOf(address));
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new XdsServerError("SBX_XDS_LISTEN", `cannot listen on ${hostOf(address)}:${address.port}: ${reason}`, {
      cause: error,
    });
  }
}

function hostOf(address: ListenAddress): string {
  return address.host ?? "127.0.0.1";
}

/** A name other than `localhost` may mean any address, so it is not taken for loopback. */
function isLoopback(host: string): boolean {
  if (isIP(host) === 4) return host.startsWith("127.");
  return host === "::1" || host === "localhost";
}
