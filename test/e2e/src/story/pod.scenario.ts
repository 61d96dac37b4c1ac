import { createServer } from "node:http";
import { setTimeout as delay } from "node:timers/promises";
import { answerOf, port } from "./cast.ts";

// One pod, as a process: answers every request with its service and its address, and, where a Eureka is named, registers with it
// and renews its lease, as the client of Spring Cloud does. Runs in a private network. Arguments: service, address, Eureka's URL
// or nothing. The parent says "pause" and "resume" of heartbeats.

/** Seconds between heartbeats, and without one until the lease is over: Eureka's defaults, 30 and 90, thirty times as fast. */
const lease = { renewalIntervalInSecs: 1, durationInSecs: 3 };

const [service = "", address = "", eureka = ""] = process.argv.slice(2);
const id = `${service}-${address}`;
const app = `${eureka}/apps/${service.toUpperCase()}`;
let paused = false;

async function register(): Promise<void> {
  const instance = {
    instanceId: id,
    hostName: address,
    app: service.toUpperCase(),
    ipAddr: address,
    status: "UP",
    port: { $: port, "@enabled": "true" },
    securePort: { $: 443, "@enabled": "false" },
    dataCenterInfo: { "@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", name: "MyOwn" },
    leaseInfo: lease,
    vipAddress: service,
    lastDirtyTimestamp: String(Date.now()),
  };
  const headers = { "content-type": "application/json" };
  const answer = await fetch(app, { method: "POST", headers, body: JSON.stringify({ instance }) });
  if (answer.status !== 204) throw new Error(`Eureka refused ${id}: ${answer.status}`);
}

/** Renews the lease, and registers again with a Eureka that does not know it. */
async function beat(): Promise<void> {
  const answer = await fetch(`${app}/${id}`, { method: "PUT", signal: AbortSignal.timeout(1000) });
  if (answer.status === 404) await register();
}

async function beatOn(): Promise<never> {
  for (;;) {
    await delay(lease.renewalIntervalInSecs * 1000);
    // A Eureka that does not answer is asked again.
    if (!paused) await beat().catch(() => undefined);
  }
}

const server = createServer((request, response) => {
  request.resume();
  response.writeHead(200, { "content-type": "text/plain; charset=utf-8" }).end(answerOf(service, address));
});
// A connection that ends while a proxy sends a request on it is a failure that no discovery can prevent.
server.keepAliveTimeout = 0;
await new Promise<void>((resolve) => server.listen({ host: address, port }, resolve));
process.on("disconnect", () => process.exit());
process.on("message", (message) => {
  paused = message === "pause";
  process.send?.("done");
});
if (eureka !== "") {
  await register();
  void beatOn();
}
process.send?.("up");
