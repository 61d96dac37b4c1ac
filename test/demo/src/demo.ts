import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { styleText } from "node:util";
import {
  EnvoyUnavailableError,
  freePort,
  provideEnvoy,
  signalbox,
  startDaemon,
  startEnvoy,
  startHttpBackend,
  startTraffic,
  type Backend,
  type Traffic,
} from "@signalbox/test-servers";

const host = "orders.shop.svc.cluster.local:8000";

const say = (text: string) => process.stdout.write(`${text}\n`);
const strong = (text: string) => styleText("bold", text);

function services(backends: readonly Backend[]): string {
  const endpoints = backends.map((backend) => `      - ${backend.address}`).join("\n");
  return `services:
  - name: orders
    namespace: shop
    ports: [{ name: http, number: 8000 }]
    endpoints:
${endpoints}
`;
}

/** Replaces the file the way a careful writer does: a new file, then a rename. Returns when that was. */
async function replace(path: string, text: string): Promise<number> {
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
  return performance.now();
}

/** Milliseconds until every answer comes from `names`, seen in the traffic after the change. */
async function moved(traffic: Traffic, since: number, to: Backend): Promise<string> {
  const first = await traffic.next((answer) => answer.text === to.name);
  for (let more = 0; more < 500; more++) await traffic.next(() => true);
  return `${(first.at - since).toFixed(0)} ms after the rename the first request reached ${strong(to.name)}`;
}

async function demo(): Promise<boolean> {
  say("Envoy: looking for one, or installing its Python package into the cache folder …");
  const binary = await provideEnvoy();
  const backends = await Promise.all(["orders v1", "orders v2", "orders v3"].map((name) => startHttpBackend({ name })));
  const [v1, v2, v3] = backends as [Backend, Backend, Backend];
  const proxyHttpPort = await freePort();
  const daemon = await startDaemon({
    config: { registries: [{ provider: "static", name: "files", paths: ["services.yaml"] }], mesh: { proxyHttpPort } },
    files: { "services.yaml": services([v1]) },
  });
  const file = join(daemon.dir, "services.yaml");
  const node = ["--node", "sidecar~127.0.0.1~demo.shop~shop.svc.cluster.local", "--metadata", "INTERCEPTION_MODE=NONE"];
  const bootstrap = signalbox(
    "bootstrap",
    ...node,
    "--xds-address",
    `127.0.0.1:${daemon.xdsPort}`,
    "--admin-port",
    "0",
  );
  const envoy = await startEnvoy({ binary, bootstrap });
  say(
    `Up: three backends, signalbox (xDS ${daemon.xdsPort}, debug ${daemon.debugPort}), Envoy (HTTP ${proxyHttpPort})`,
  );
  say(`File: ${file}\n`);
  const traffic = startTraffic(proxyHttpPort, host);
  let failures;
  try {
    await traffic.next((answer) => answer.text === v1.name);
    say(`Two clients call http://${host} without a pause; ${strong(v1.name)} answers.`);
    say(`1. The file now names v2 instead:     ${await moved(traffic, await replace(file, services([v2])), v2)}`);
    say(`2. v3 joins:                          ${await moved(traffic, await replace(file, services([v2, v3])), v3)}`);
    say(`3. Back to v1 alone:                  ${await moved(traffic, await replace(file, services([v1])), v1)}`);
    const broken = daemon.log().length;
    await replace(file, "services: [{ name: orders, ports: oops }]\n");
    await traffic.next(() => daemon.log().length > broken);
    const answer = await traffic.next(() => true);
    say(
      `4. A mistake in the file:             ${strong(answer.text)} still answers; the log says what is wrong and where`,
    );
  } finally {
    failures = await traffic.stop();
    say(
      `\n${traffic.answers.length} requests, ${failures.length} failed; Envoy refused ${await envoy.nacks()} updates.`,
    );
    for (const failure of failures.slice(0, 3)) say(`  ${failure.status} ${failure.text}`);
    await envoy.stop();
    await daemon.stop();
    await Promise.all(backends.map((backend) => backend.stop()));
  }
  return failures.length === 0;
}

try {
  process.exitCode = (await demo()) ? 0 : 1;
} catch (error) {
  if (!(error instanceof EnvoyUnavailableError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
