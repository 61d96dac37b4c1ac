import type { IncomingMessage, ServerResponse } from "node:http";
import { FakeHttp, sendJson } from "./fake-http.ts";

/** An instance of a service; what is absent is as of a plain registration. */
interface ConsulInstance {
  /** Empty: that of the node. */
  readonly address: string;
  readonly nodeAddress?: string;
  readonly status?: "passing" | "warning" | "critical";
}

interface Held {
  readonly url: URL;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** As much of a Consul agent as discovery reads: the list and the health of services, by blocking queries with one index for all. */
export class FakeConsul extends FakeHttp {
  /** The index of every answer. */
  index: bigint;
  /** The services that readers may see; absent: all. */
  readable: ReadonlySet<string> | undefined;
  /** Services whose health cannot be read. */
  readonly failing = new Set<string>();
  readonly #services = new Map<string, readonly ConsulInstance[]>();
  readonly #held = new Set<Held>();

  constructor(index = 10n) {
    super();
    this.index = index;
  }

  /** Puts the instances of a service in place of what it has; none takes it away. */
  set(name: string, ...instances: readonly ConsulInstance[]): void {
    if (instances.length === 0) this.#services.delete(name);
    else this.#services.set(name, instances);
  }

  /** Everything that happened becomes visible, under this index: by default the next one. */
  publish(index = this.index + 1n): void {
    this.index = index;
    for (const held of [...this.#held]) {
      this.#held.delete(held);
      this.#say(held);
    }
  }

  protected answer(url: URL, request: IncomingMessage, response: ServerResponse): void {
    const held = { url, request, response };
    const asked = url.searchParams.get("index");
    // A reader that asks for what comes after an index of the future waits for it, as with a real server.
    if (asked !== null && BigInt(asked) >= this.index) {
      this.#held.add(held);
      response.on("close", () => this.#held.delete(held));
    } else this.#say(held);
  }

  #say({ url, request, response }: Held): void {
    const name = /^\/v1\/health\/service\/(.+)$/.exec(url.pathname)?.[1];
    if (name !== undefined && this.failing.has(name)) {
      sendJson(response, { error: "rpc error making call" }, 500);
      return;
    }
    const mayRead = (service: string) => service === "consul" || this.readable?.has(service) !== false;
    const names = ["consul", ...this.#services.keys()];
    const hidden = name === undefined ? names.some((one) => !mayRead(one)) : names.includes(name) && !mayRead(name);
    const body =
      name === undefined
        ? Object.fromEntries(names.filter(mayRead).map((one) => [one, []]))
        : mayRead(name)
          ? this.#entries(name)
          : [];
    sendJson(response, body, 200, {
      "x-consul-index": String(this.index),
      "x-consul-knownleader": "true",
      "x-consul-lastcontact": "0",
      // Readers without a token are not told.
      ...(hidden && request.headers["x-consul-token"] !== undefined && { "x-consul-results-filtered-by-acls": "true" }),
    });
  }

  #entries(name: string): readonly object[] {
    if (name === "consul") return [entryOf(name, { address: "127.0.0.1" }, 0)];
    return (this.#services.get(name) ?? []).map((instance, at) => entryOf(name, instance, at));
  }
}

function entryOf(service: string, instance: ConsulInstance, at: number): object {
  const { address, nodeAddress = "10.9.9.9", status: state = "passing" } = instance;
  const id = `${service}-${address === "" ? at : address}`;
  return {
    Node: { ID: "", Node: `node-${nodeAddress}`, Address: nodeAddress, Datacenter: "dc1", Meta: {} },
    Service: {
      ID: id,
      Service: service,
      Tags: [],
      Address: address,
      Meta: { protocol: "http" },
      Port: 8080,
      Weights: { Passing: 1, Warning: 1 },
    },
    Checks: [{ Node: `node-${nodeAddress}`, CheckID: `service:${id}`, Status: state, ServiceID: id }],
  };
}
