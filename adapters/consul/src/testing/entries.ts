import type { FakeEntry } from "./fake-consul.ts";

/** What a test says about an instance; all the rest is as Consul writes it for a plain registration. */
export interface EntryOptions {
  readonly node?: string;
  readonly id?: string;
  readonly ip?: string;
  readonly port?: number;
  readonly tags?: readonly string[];
  readonly meta?: Readonly<Record<string, string>>;
  readonly checks?: readonly Readonly<Record<string, unknown>>[];
  /** Members of `Node` and `Service` that replace those made of the others. */
  readonly Node?: Readonly<Record<string, unknown>>;
  readonly Service?: Readonly<Record<string, unknown>>;
}

/** One element of `/v1/health/service/<name>`, in the form of the recorded answers. */
export function consulEntry(service: string, options: EntryOptions = {}): FakeEntry {
  const { node = "node-1", id = service, ip = "10.0.0.1", port = 8080, tags = [], meta = {}, checks = [] } = options;
  return {
    Node: {
      ID: "",
      Node: node,
      Address: "10.9.9.9",
      Datacenter: "dc1",
      TaggedAddresses: null,
      Meta: {},
      ...options.Node,
    },
    Service: {
      ID: id,
      Service: service,
      Tags: tags,
      Address: ip,
      Meta: meta,
      Port: port,
      Weights: { Passing: 1, Warning: 1 },
      EnableTagOverride: false,
      ...options.Service,
    },
    Checks: checks,
  };
}
