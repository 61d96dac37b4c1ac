import type { Backend, RunningEureka } from "@signalbox/test-servers";
import { until, type Change } from "./fault.ts";

/** The application that all of these tests call. */
export const app = "orders";

/** Registers a backend by plain REST. Nobody sends heartbeats for it; its lease lasts longer than any test. */
export async function register(server: RunningEureka, { name, host, port }: Backend): Promise<void> {
  const instance = {
    instanceId: name,
    hostName: host,
    app: app.toUpperCase(),
    ipAddr: host,
    status: "UP",
    port: { $: port, "@enabled": "true" },
    securePort: { $: 443, "@enabled": "false" },
    dataCenterInfo: { "@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", name: "MyOwn" },
    leaseInfo: { renewalIntervalInSecs: 30, durationInSecs: 900 },
    vipAddress: app,
  };
  const answer = await server.request(`/apps/${app.toUpperCase()}`, { method: "POST", body: { instance } });
  if (answer.status !== 204) throw new Error(`Eureka refused ${name}: ${answer.status} ${answer.text}`);
}

/** One more endpoint. */
export function adding(server: RunningEureka, backend: Backend): Change {
  return {
    name: backend.name,
    make: () => register(server, backend),
    undo: async () => {
      await server.request(`/apps/${app.toUpperCase()}/${backend.name}`, { method: "DELETE" });
    },
  };
}

/** How many instances a server lists. */
export async function listed(server: RunningEureka): Promise<number> {
  const { applications } = (await server.request("/apps")).json() as {
    applications: { application: readonly { instance: readonly unknown[] }[] };
  };
  return applications.application.reduce((sum, { instance }) => sum + instance.length, 0);
}

/** Waits until a server lists so many. */
export async function untilListed(server: RunningEureka, count: number): Promise<void> {
  await until(`${count} instances at ${server.url}`, async () => {
    const now = await listed(server);
    if (now !== count) throw new Error(`it lists ${now}`);
    return true;
  });
}
