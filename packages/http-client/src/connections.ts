import { Agent } from "undici";
import { FollowedIdentity } from "./identity.ts";
import type { HttpClientOptions, HttpTls } from "./http-client.ts";

/** Connections that an answer between two polls may wait for its next request, in milliseconds. */
const keepAliveMs = 15_000;

/** The agent to use now. */
export interface ConnectionsLook {
  readonly agent: Agent;
  readonly withCertificate: boolean;
  readonly rejected?: string;
}

/** Connections to one upstream. New certificates mean new connections; the old ones end with their last answer. */
export class Connections {
  readonly #options: HttpClientOptions;
  readonly #identity: FollowedIdentity;
  readonly #retired = new Set<Agent>();
  #current: { readonly agent: Agent; readonly version: string; readonly withCertificate: boolean } | undefined;

  constructor(options: HttpClientOptions) {
    this.#options = options;
    this.#identity = new FollowedIdentity(options.tls ?? {});
  }

  /** Throws, in words without secrets, while there are no usable certificates. */
  async look(): Promise<ConnectionsLook> {
    const { identity, version, rejected } = await this.#identity.look();
    if (this.#current?.version !== version) {
      this.#retire();
      const { ca, cert, key } = identity;
      const { serverName, insecureSkipVerify = false }: HttpTls = this.#options.tls ?? {};
      const agent = new Agent({
        connections: this.#options.connections ?? 16,
        pipelining: 1,
        keepAliveTimeout: keepAliveMs,
        // The limits of one request are its own; those of undici are coarse.
        headersTimeout: 0,
        bodyTimeout: 0,
        connect: {
          timeout: this.#options.connectMs ?? 5000,
          rejectUnauthorized: !insecureSkipVerify,
          ...(ca && { ca }),
          ...(cert && { cert }),
          ...(key && { key }),
          ...(serverName !== undefined && { servername: serverName }),
        },
      });
      this.#current = { agent, version, withCertificate: cert !== undefined };
    }
    const { agent, withCertificate } = this.#current;
    return { agent, withCertificate, ...(rejected !== undefined && { rejected }) };
  }

  /** Ends what runs and closes every connection. */
  async close(): Promise<void> {
    const agents = [...this.#retired, ...(this.#current ? [this.#current.agent] : [])];
    await Promise.all(agents.map((agent) => agent.destroy()));
  }

  #retire(): void {
    const old = this.#current?.agent;
    if (old === undefined) return;
    this.#retired.add(old);
    const gone = (): void => {
      this.#retired.delete(old);
    };
    // It rejects where it is destroyed meanwhile, which is as good.
    old.close().then(gone, gone);
  }
}
