import { waitFor } from "@signalbox/test-servers";
import { createSignalbox, type Signalbox, type SignalboxConfigInput } from "signalbox";

/** A whole Signalbox in this process, without xDS, on the system's clock. */
export class WholeSignalbox {
  readonly #signalbox: Signalbox;
  readonly #end = new AbortController();
  readonly #ended: Promise<void>;

  private constructor(signalbox: Signalbox) {
    this.#signalbox = signalbox;
    this.#ended = signalbox.run(this.#end.signal);
  }

  static async start(config: SignalboxConfigInput): Promise<WholeSignalbox> {
    const servers = { xds: { plaintext: false }, debug: { port: 0 } } as const;
    return new WholeSignalbox(await createSignalbox({ ...servers, ...config }));
  }

  async stop(): Promise<void> {
    this.#end.abort();
    await this.#ended;
  }

  /** The endpoints of a service, `10.0.0.1:8080`, with their health where it is not `HEALTHY`. Undefined: there is no such service. */
  endpoints(hostname: string): readonly string[] | undefined {
    const entry = [...this.#signalbox.catalog().entries.values()].find(({ service }) => service.hostname === hostname);
    return entry?.instances
      .map(({ addresses: [first], healthStatus }) => {
        const address =
          first.type === "ip" ? `${first.ip}:${first.port}` : first.type === "hostname" ? first.hostname : first.path;
        return healthStatus === "HEALTHY" ? address : `${address} ${healthStatus}`;
      })
      .sort();
  }

  /** The weights of the endpoints of a service, by address and port. */
  weights(hostname: string): Readonly<Record<string, number>> {
    const entry = [...this.#signalbox.catalog().entries.values()].find(({ service }) => service.hostname === hostname);
    return Object.fromEntries(
      (entry?.instances ?? []).map(({ addresses: [first], weight }) => [
        first.type === "ip" ? `${first.ip}:${first.port}` : first.type,
        weight,
      ]),
    );
  }

  /** Waits until a service has exactly these endpoints; undefined: until it is gone. */
  async has(hostname: string, endpoints: readonly string[] | undefined): Promise<void> {
    const wanted = JSON.stringify(endpoints ?? null);
    const isSo = () => JSON.stringify(this.endpoints(hostname) ?? null) === wanted;
    await waitFor(isSo, { what: `${hostname} with ${wanted}`, deadlineMs: 30_000 });
  }

  /** Waits until a guard holds something. */
  async holds(): Promise<void> {
    const isSo = async () => {
      const { items } = (await this.get("/v1/guards")) as { items: readonly { held: number }[] };
      return items.some(({ held }) => held > 0);
    };
    await waitFor(isSo, { what: "a guard that holds something", deadlineMs: 30_000 });
  }

  /** Waits for complete reads of a registry. */
  async reads(id: string, count: number): Promise<void> {
    const last = () => this.#signalbox.registries().find((one) => one.id === id)?.lastCompleteRead ?? 0;
    for (let read = 0; read < count; read++) {
      const before = last();
      await waitFor(() => last() > before, { what: `a read of ${id}`, deadlineMs: 30_000 });
    }
  }

  /** The verdicts about a service's endpoints, by address. */
  async verdicts(service: string): Promise<Readonly<Record<string, string>>> {
    const { items } = (await this.get(`/v1/drift?service=${service}`)) as {
      items: readonly { address: string; verdict: string }[];
    };
    return Object.fromEntries(items.map(({ address, verdict }) => [address, verdict]));
  }

  async get(path: string): Promise<unknown> {
    const { debug } = await this.#signalbox.listening(this.#end.signal);
    const answer = await fetch(`${debug?.url ?? ""}${path}`);
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }
}
