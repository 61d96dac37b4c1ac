import { adsBootstrap } from "./bootstrap.ts";
import { startDaemon } from "./daemon.ts";
import { startEnvoy } from "./envoy.ts";
import { startHttpBackend } from "./http-backend.ts";
import { startKube } from "./kube.ts";
import { freePort } from "./ports.ts";
import { get } from "./traffic.ts";
import { waitFor } from "./wait-for.ts";

// Runs in a private network. Its arguments are the addresses of the pods; it prints what it saw as JSON.
const pods = process.argv.slice(2);
const host = "orders.shop.svc.cluster.local:8000";

const cleanUp: (() => Promise<unknown>)[] = [];
const keep = <T extends { stop: () => Promise<unknown> }>(server: T): T => {
  cleanUp.unshift(() => server.stop());
  return server;
};

const slice = (name: string, addresses: readonly string[]) => ({
  metadata: { name, labels: { "kubernetes.io/service-name": "orders" } },
  addressType: "IPv4",
  endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true } })),
  ports: [{ name: "http", port: 8080, protocol: "TCP" }],
});

try {
  const kube = keep(await startKube({ own: true }));
  await kube.create("/api/v1/namespaces", { metadata: { name: "shop" } });
  const slices = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices";
  const loopback = await kube.request(slices, { method: "POST", body: slice("loopback", ["127.0.0.1"]) });
  const stored = (await kube.create(slices, slice("pods", pods))) as { endpoints: { addresses: [string] }[] };
  const endpoints = stored.endpoints.map((endpoint) => `${endpoint.addresses[0]}:8080`);

  for (const pod of pods) keep(await startHttpBackend({ name: pod, host: pod, port: 8080 }));
  const proxyHttpPort = await freePort();
  const service = { name: "orders", namespace: "shop", ports: [{ name: "http", number: 8000 }], endpoints };
  const daemon = keep(
    await startDaemon({
      config: {
        registries: [{ provider: "static", name: "files", paths: ["services.yaml"] }],
        mesh: { proxyHttpPort },
      },
      files: { "services.yaml": JSON.stringify({ services: [service] }) },
    }),
  );
  const node = {
    id: "sidecar~127.0.0.1~web.shop~shop.svc.cluster.local",
    cluster: "web.shop",
    metadata: { INTERCEPTION_MODE: "NONE" },
  };
  keep(await startEnvoy({ bootstrap: adsBootstrap({ node, xdsPort: daemon.xdsPort, mode: "delta" }) }));
  const answers = new Set<string>();
  const allAnswered = async () => {
    const { status, text } = await get(proxyHttpPort, host);
    if (status === 200) answers.add(text);
    return answers.size === pods.length;
  };
  await waitFor(allAnswered, { what: "an answer of every pod", deadlineMs: 30_000 });
  process.stdout.write(JSON.stringify({ loopbackStatus: loopback.status, answers: [...answers].sort() }));
} finally {
  for (const stop of cleanUp) await stop();
}
