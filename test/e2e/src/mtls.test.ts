import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import {
  freePorts,
  signalbox,
  startDaemon,
  startEnvoy,
  waitFor,
  type Bootstrap,
  type Daemon,
  type RunningEnvoy,
} from "@signalbox/test-servers";
import { afterEach, beforeEach, expect, it } from "vitest";
import { fileRegistry, hostname, replaceServices, servicesFile } from "./services.ts";

const certificates = join(import.meta.dirname, "../../certificates");
const pem = (name: string) => readFileSync(join(certificates, name), "utf8");
const spiffeId = "spiffe://cluster.local/ns/default/sa/web";

let daemon: Daemon;
let tlsPort: number, servicePort: number;
const envoys: RunningEnvoy[] = [];
const services = (...names: string[]) =>
  names.map((name) => ({ name, port: servicePort, endpoints: ["127.0.0.1:9001"] }));

beforeEach(async () => {
  [tlsPort, servicePort] = (await freePorts(2)) as [number, number];
  const tls = { port: tlsPort, cert: "server.crt", key: "server.key", ca: "ca.crt" };
  daemon = await startDaemon({
    config: { registries: fileRegistry, xds: { plaintext: false, tls } },
    files: {
      "services.json": servicesFile(services("orders")),
      "server.crt": pem("server.crt"),
      "server.key": pem("server.key"),
      "ca.crt": pem("ca.crt"),
    },
  });
});
afterEach(async () => {
  for (const envoy of envoys.splice(0)) await envoy.stop();
  await daemon.stop();
});

/** The bootstrap that the command prints for a node with this certificate. */
function bootstrap(node: string, certificate: string, ...more: readonly string[]): Bootstrap {
  const flags = [
    ...["--tls-ca", join(certificates, "ca.crt")],
    ...["--tls-cert", join(certificates, `${certificate}.crt`)],
    ...["--tls-key", join(certificates, `${certificate}.key`)],
  ];
  const address = ["--xds-address", `127.0.0.1:${tlsPort}`, "--admin-port", "0"];
  return JSON.parse(
    signalbox("bootstrap", "--node", node, ...address, ...flags, "--output", "json", ...more),
  ) as Bootstrap;
}

/** Makes the node refuse every server certificate but this one. */
function pinned(to: string, envoy: Bootstrap): Bootstrap {
  const { fingerprint256 } = new X509Certificate(pem(to));
  const text = JSON.stringify(envoy);
  const pin = `"validation_context":{"verify_certificate_hash":["${fingerprint256}"],`;
  expect(text).toContain('"validation_context":{');
  return JSON.parse(text.replace('"validation_context":{', pin)) as Bootstrap;
}

async function start(config: Bootstrap, until: "live" | "admin" = "live"): Promise<RunningEnvoy> {
  const envoy = await startEnvoy({ bootstrap: config, until });
  envoys.push(envoy);
  return envoy;
}

async function hasCluster(envoy: RunningEnvoy, name: string): Promise<boolean> {
  return JSON.stringify(await envoy.configDump()).includes(`outbound|${servicePort}||${hostname(name)}`);
}

async function connections(envoy: RunningEnvoy): Promise<number | undefined> {
  return (await envoy.stats("^cluster\\.xds_cluster\\.upstream_cx_total$")).get(
    "cluster.xds_cluster.upstream_cx_total",
  );
}

async function replaceFile(name: string, text: string): Promise<void> {
  const path = join(daemon.dir, name);
  await writeFile(`${path}.new`, text);
  await rename(`${path}.new`, path);
}

it("renews its certificate while Envoys stay connected, and new ones get the renewed one", async () => {
  const first = await start(bootstrap("first", "client"));
  expect(await hasCluster(first, "orders")).toBe(true);
  expect(JSON.stringify(await daemon.debug("/debug/adsz"))).toContain(spiffeId);
  const before = await connections(first);
  expect(before).toBeGreaterThan(0);

  await replaceFile("server.key", pem("renewed.key"));
  await replaceFile("server.crt", pem("renewed.crt"));
  await waitFor(() => daemon.log().includes('"xds-certificates-reloaded"'), { what: "the renewed certificate" });
  const name = ["--tls-server-name", "localhost", "--sotw"];
  const second = await start(pinned("renewed.crt", bootstrap("second", "client", ...name)));
  expect(await hasCluster(second, "orders")).toBe(true);

  await replaceServices(daemon, services("orders", "fresh"));
  for (const envoy of [first, second]) await waitFor(() => hasCluster(envoy, "fresh"), { what: "the new service" });
  expect(await connections(first)).toBe(before);
  expect([await first.nacks(), await second.nacks()]).toEqual([0, 0]);

  const late = await start(pinned("server.crt", bootstrap("late", "client")), "admin");
  await waitFor(async () => ((await late.stats("ssl\\.fail_verify_cert_hash$")).values().next().value ?? 0) > 0, {
    what: "the replaced certificate to be missed",
  });
  expect(daemon.log()).not.toContain("xds-certificates-rejected");
});

it("refuses a certificate of another authority", async () => {
  const stranger = await start(bootstrap("stranger", "stranger"), "admin");
  await waitFor(() => daemon.log().includes('"xds-refused"'), { what: "the refusal" });
  await waitFor(async () => ((await connections(stranger)) ?? 0) > 1, {
    what: "Envoy to try again",
    deadlineMs: 30_000,
  });
  expect(await hasCluster(stranger, "orders")).toBe(false);
  expect(await stranger.isLive()).toBe(false);
  const clients = JSON.stringify(await daemon.debug("/debug/adsz"));
  expect(clients).not.toContain("stranger");
  const known = await start(bootstrap("known", "client"));
  expect(await hasCluster(known, "orders")).toBe(true);
});
