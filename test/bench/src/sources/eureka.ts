import { setTimeout as delay } from "node:timers/promises";
import { startEureka, waitFor } from "@signalbox/test-servers";
import { Api, parallel } from "../api.ts";
import type { Fleet, FleetInstance } from "../fleet.ts";
import { now } from "../time.ts";
import type { BenchSource, SourceOptions, Variant } from "./source.ts";

/** Of the adapter's configuration: how often it reads everything anew. */
const fullReadsPerHour = 12;
/** Nobody sends heartbeats for a fleet, so its leases must outlive the benchmark. */
const leaseSeconds = 86_400;

/** Starts a Eureka server whose answers hold what was registered a moment before. */
export async function startEurekaSource({ fleet, pollSeconds, signal }: SourceOptions): Promise<BenchSource> {
  // Four polls of the adapter. The default of three minutes would have the whole fleet in the first deltas.
  const keptMs = Math.round(pollSeconds * 4000);
  const eureka = await startEureka({
    own: true,
    // An instance takes some kilobytes, and an answer with all of them is made at once.
    heapMiB: 512 + Math.ceil((fleet.size.services * fleet.size.instances) / 20),
    properties: {
      "eureka.server.use-read-only-response-cache": false,
      // The other cache forgets what a change makes wrong, but not what leaves the delta with time.
      "eureka.server.response-cache-auto-expiration-in-seconds": 1,
      "eureka.server.retention-time-in-m-s-in-delta-queue": keptMs,
      "eureka.server.delta-retention-timer-interval-in-ms": Math.round(keptMs / 4),
    },
    signal,
  });
  const api = new Api({ url: eureka.url }, 32);
  const register = async (instance: FleetInstance): Promise<void> => {
    await api.send(`/apps/${instance.service.toUpperCase()}`, { method: "POST", body: registrationOf(instance) });
  };
  return {
    name: "eureka",
    access: { url: eureka.url },
    remarks: [
      "the server's response caches are off: use-read-only-response-cache=false, response-cache-auto-expiration-in-seconds=1",
      `the server keeps changes in its deltas for ${keptMs / 1000} s instead of 180 s`,
      `the adapter has "pollSeconds: ${pollSeconds}", ten percent more or less at random; the target of a change is that and 50 ms`,
    ],
    variants: () => [variant(eureka.url, pollSeconds)],
    load: (from, to) => parallel(instancesOf(fleet, from, to), 32, register),
    async move(service, address) {
      const [instance] = fleet.instancesOf(service);
      if (instance === undefined) throw new RangeError("a service without instances");
      await register({ ...instance, ip: address });
    },
    follower: {
      type: "poll",
      async read() {
        // As for the adapter's polls, the server must make the answer: what it made before is forgotten after a second.
        await delay(1200, undefined, { signal });
        const begun = now();
        JSON.parse((await api.send("/apps/delta")).text);
        return now() - begun;
      },
    },
    async settled() {
      await waitFor(async () => applicationsIn((await api.send("/apps/delta")).text) === 0, {
        what: "a delta without the fleet",
        deadlineMs: keptMs * 3 + 30_000,
        signal,
      });
    },
    async stop() {
      api.close();
      await eureka.stop();
    },
  };
}

function variant(url: string, pollSeconds: number): Variant {
  return {
    name: "",
    config: { urls: [url], pollSeconds },
    changes: { type: "spread", intervalMs: pollSeconds * 1000, gapMs: pollSeconds * 500 },
    changesShare: 0.2,
    rereadsPerHour: fullReadsPerHour,
    hasTargets: true,
  };
}

function* instancesOf(fleet: Fleet, from: number, to: number): Iterable<FleetInstance> {
  for (let service = from; service < to; service++) yield* fleet.instancesOf(service);
}

function registrationOf({ id, ip, port, service, zone }: FleetInstance): object {
  return {
    instance: {
      instanceId: id,
      hostName: ip,
      app: service.toUpperCase(),
      ipAddr: ip,
      status: "UP",
      port: { $: port, "@enabled": "true" },
      securePort: { $: 443, "@enabled": "false" },
      dataCenterInfo: { "@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", name: "MyOwn" },
      leaseInfo: { renewalIntervalInSecs: 30, durationInSecs: leaseSeconds },
      metadata: { version: "1.4.2", zone },
      vipAddress: service,
      homePageUrl: `http://${ip}:${port}/`,
      statusPageUrl: `http://${ip}:${port}/actuator/info`,
      healthCheckUrl: `http://${ip}:${port}/actuator/health`,
      lastDirtyTimestamp: String(Date.now()),
    },
  };
}

function applicationsIn(delta: string): number {
  const { applications } = JSON.parse(delta) as { readonly applications: { readonly application: readonly unknown[] } };
  return applications.application.length;
}
