import { instanceKey, type ServiceInstance } from "@signalbox/model";
import { SourceError, type WithdrawalResult } from "@signalbox/registry";
import type { EurekaClient, KnownInstance } from "../client.ts";
import { placeIn } from "../convert/baseline.ts";
import { addressOf } from "../convert/endpoint.ts";

/**
 * Cancels the registration that an endpoint is of, unless a server says another thing of it than the endpoint, or that its client lives. All
 * servers are asked first, because a cancellation that one of them takes reaches all, and the server itself compares nothing: it knows no
 * condition for a cancellation. So all must answer. Between the answers and the cancellation there are milliseconds in which the instance may still
 * register anew; its next heartbeat brings it back. `now` in epoch milliseconds, for servers that do not tell the time. Rejects with a
 * SourceError.
 */
export async function withdrawInstance(
  clients: readonly EurekaClient[],
  endpoint: ServiceInstance,
  now: number,
  signal: AbortSignal,
): Promise<WithdrawalResult> {
  const place = placeIn(endpoint.provenance.object);
  if (place === undefined) throw new TypeError(`${endpoint.provenance.object} is no instance of Eureka`);
  const { app, id } = place;
  const answers = await Promise.all(clients.map((client) => client.instance(app, id, signal)));
  const having: EurekaClient[] = [];
  for (const [index, known] of answers.entries()) {
    const client = clients[index];
    if (known === undefined || client === undefined) continue;
    const reason = whyNot(known, endpoint, now);
    if (reason !== undefined) return { type: "kept", reason: `at ${client.url} it ${reason}` };
    having.push(client);
  }
  // One server is enough: it tells its peers.
  let failure: SourceError | undefined;
  for (const client of having) {
    try {
      if (await client.cancel(app, id, signal)) return { type: "done" };
    } catch (error) {
      if (!(error instanceof SourceError) || signal.aborted) throw error;
      failure = error;
    }
  }
  if (failure !== undefined) throw failure;
  return { type: "gone" };
}

/** Why an instance is not the one that was judged, or alive all the same; for people. Undefined where it is that one. */
function whyNot(
  known: KnownInstance,
  { addresses: [judged], registeredAt }: ServiceInstance,
  now: number,
): string | undefined {
  const { instance, leaseUntil, toldAt = now } = known;
  const address = addressOf(instance, "port" in judged ? judged.port : 0);
  if (address === undefined || instanceKey(address) !== instanceKey(judged))
    return `is at ${instance.ipAddr || instance.hostName || "no address"}, not at ${hostOf(judged)}`;
  if (instance.registeredAt !== registeredAt) return "has registered since it was judged";
  // Who renews is alive, whatever the cluster says.
  if (leaseUntil !== undefined && leaseUntil >= toldAt) return "still renews its lease";
  return undefined;
}

function hostOf(address: ServiceInstance["addresses"][0]): string {
  return address.type === "ip" ? address.ip : address.type === "hostname" ? address.hostname : instanceKey(address);
}
