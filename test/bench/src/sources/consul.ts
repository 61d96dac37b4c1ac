import { startConsul } from "@signalbox/test-servers";
import { Api, parallel } from "../api.ts";
import type { FleetInstance } from "../fleet.ts";
import { now } from "../time.ts";
import type { BareFollower, BenchSource, SourceOptions, Variant } from "./source.ts";

/** Each instance is two operations, and one transaction takes 128. */
const instancesPerTransaction = 60;
/** The adapter reads each service anew after three quarters of its `auditSeconds` in the mean. */
const auditsPerHour = 16;
const rotationMs = 30_000;

/** Starts a Consul agent that lets one client have a connection for every service, and all others of the benchmark as well. */
export async function startConsulSource({ fleet, signal }: SourceOptions): Promise<BenchSource> {
  const { services } = fleet.size;
  const connections = services + 500;
  const consul = await startConsul({
    own: true,
    config: { limits: { http_max_conns_per_client: connections } },
    signal,
  });
  const { url } = consul;
  const access = { url };
  const api = new Api(access, 64);
  const transaction = async (operations: readonly object[]): Promise<void> => {
    await api.send("/v1/txn", { method: "PUT", body: operations });
  };
  const nodes = fleet.nodes.map(({ name, ip, zone }) => ({
    Node: { Verb: "set", Node: { Node: name, Address: ip, Meta: { zone } } },
  }));
  await parallel(chunks(nodes, 100), 4, transaction);
  return {
    name: "consul",
    access,
    remarks: [
      `the agent allows one client ${connections} connections (limits.http_max_conns_per_client) instead of 200`,
      `the adapter has "concurrency: ${services}", one blocking query for each service, instead of 150`,
      '"default cap" is the adapter as it is by default: 150 connections that the services share in turns of the rotation',
    ],
    variants: (count) => variants(url, services, count),
    async load(from, to) {
      const instances: FleetInstance[] = [];
      for (let service = from; service < to; service++) instances.push(...fleet.instancesOf(service));
      await parallel(chunks(instances, instancesPerTransaction), 4, (some) => transaction(some.flatMap(operationsOf)));
    },
    async move(service, address) {
      const [instance] = fleet.instancesOf(service);
      if (instance === undefined) throw new RangeError("a service without instances");
      const Service = { ...serviceOf(instance), Address: address };
      const body = { Node: instance.node, SkipNodeUpdate: true, Service };
      await api.send("/v1/catalog/register", { method: "PUT", body });
    },
    follower: followerOf(api, (service) => fleet.service(service)),
    settled: () => Promise.resolve(),
    async stop() {
      api.close();
      await consul.stop();
    },
  };
}

function variants(url: string, concurrency: number, services: number): readonly [Variant, ...Variant[]] {
  const raised: Variant = {
    name: "",
    config: { url, concurrency },
    changes: { type: "one-by-one" },
    changesShare: 1,
    rereadsPerHour: auditsPerHour,
    hasTargets: true,
  };
  // Fewer services than the cap are read as with a raised one.
  if (services <= 150) return [raised];
  const changes = { type: "spread", intervalMs: rotationMs, gapMs: rotationMs / 8 } as const;
  const capped: Variant = {
    ...raised,
    name: "default cap",
    config: { url },
    changes,
    changesShare: 0.1,
    hasTargets: false,
  };
  return [raised, capped];
}

function serviceOf({ id, ip, port, service, zone }: FleetInstance) {
  return { ID: id, Service: service, Address: ip, Port: port, Tags: ["v1"], Meta: { version: "1.4.2", zone } };
}

function operationsOf(instance: FleetInstance): readonly object[] {
  const { id, node, service } = instance;
  const check = { Node: node, CheckID: `service:${id}`, Name: `Service ${service}`, Status: "passing", ServiceID: id };
  return [
    { Service: { Verb: "set", Node: node, Service: serviceOf(instance) } },
    { Check: { Verb: "set", Check: check } },
  ];
}

/** A blocking query without any of the adapter around it. */
function followerOf(api: Api, nameOf: (service: number) => string): BareFollower {
  const query = async (service: number, index?: string) => {
    const wait = index === undefined ? "" : `?index=${index}&wait=60s`;
    const { headers, text } = await api.send(`/v1/health/service/${nameOf(service)}${wait}`);
    return { index: String(headers["x-consul-index"]), text };
  };
  return {
    type: "wait",
    async expect(service, address) {
      let { index } = await query(service);
      const follow = async (): Promise<number> => {
        for (;;) {
          const answer = await query(service, index);
          index = answer.index;
          if (!answer.text.includes(`"${address}"`)) continue;
          JSON.parse(answer.text);
          return now();
        }
      };
      return { seen: follow() };
    },
  };
}

function* chunks<T>(items: readonly T[], size: number): Iterable<readonly T[]> {
  for (let from = 0; from < items.length; from += size) yield items.slice(from, from + size);
}
