import { spawn } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { signalbox, startDaemon, startGrpcBackend, waitFor } from "@signalbox/test-servers";
import { afterEach, expect, it } from "vitest";
import { fileRegistry, hostname, replaceServices, servicesFile } from "./services.ts";

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Starts the client process of grpc-client.ts with a bootstrap that names the daemon. */
function startClient(xdsPort: number) {
  const node = ["--grpc", "--node", "sidecar~127.0.0.1~grpc-1.shop~shop.svc.cluster.local"];
  const bootstrap = signalbox("bootstrap", ...node, "--xds-address", `127.0.0.1:${xdsPort}`);
  const script = fileURLToPath(new URL("../dist/grpc-client.js", import.meta.url));
  const child = spawn(process.execPath, [script], {
    env: { ...process.env, GRPC_XDS_BOOTSTRAP_CONFIG: bootstrap },
    stdio: ["pipe", "pipe", "inherit"],
  });
  const exited = new Promise((resolve) => child.once("exit", resolve));
  closing.push(async () => {
    child.kill("SIGKILL");
    await exited;
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return async (target: string, count: number): Promise<string[]> => {
    child.stdin.write(`${count} ${target}\n`);
    const { value } = (await lines.next()) as { value: string };
    return JSON.parse(value) as string[];
  };
}

it("a proxyless gRPC client resolves a service, balances over its endpoints and follows a change", async () => {
  const [a, b, c] = await Promise.all(["a", "b", "c"].map((name) => startGrpcBackend({ name })));
  if (a === undefined || b === undefined || c === undefined) throw new Error("three backends");
  closing.push(() => Promise.all([a.stop(), b.stop(), c.stop()]));
  const echo = (...endpoints: string[]) => [{ name: "echo", port: 7070, protocol: "GRPC", endpoints }];
  const daemon = await startDaemon({
    config: { registries: fileRegistry },
    files: { "services.json": servicesFile(echo(a.address, b.address)) },
  });
  closing.push(() => daemon.stop());
  const call = startClient(daemon.xdsPort);
  const target = `xds:///${hostname("echo")}:7070`;

  const first = await call(target, 40);
  expect(new Set(first)).toEqual(new Set(["a: hello", "b: hello"]));
  expect(first.filter((answer) => answer === "a: hello").length).toBeGreaterThanOrEqual(15);

  await replaceServices(daemon, echo(c.address));
  await waitFor(async () => (await call(target, 1))[0] === "c: hello", { what: "calls to reach the new endpoint" });
  expect(new Set(await call(target, 20))).toEqual(new Set(["c: hello"]));
  const synced = JSON.stringify(await daemon.debug("/debug/syncz"));
  expect(synced).toContain("grpc-1.shop");
  expect(daemon.log()).not.toMatch(/nack/i);
});

it("a proxyless gRPC client follows the rules of its service, shares, matches and faults included", async () => {
  const [a, b] = await Promise.all(["a", "b"].map((name) => startGrpcBackend({ name })));
  if (a === undefined || b === undefined) throw new Error("two backends");
  closing.push(() => Promise.all([a.stop(), b.stop()]));
  const services = [
    { name: "echo", port: 7070, protocol: "GRPC", endpoints: [a.address] },
    { name: "other", port: 7070, protocol: "GRPC", endpoints: [b.address] },
  ];
  const destination = (name: string, weight: number) => ({
    destination: { host: hostname(name), port: { number: 7070 } },
    weight,
  });
  const ruled = (...http: readonly object[]): string =>
    JSON.stringify({
      apiVersion: "networking.istio.io/v1",
      kind: "VirtualService",
      metadata: { name: "echo", namespace: "shop" },
      spec: { hosts: [hostname("echo")], http },
    });
  const said = { uri: { exact: "/signalbox.test.Echo/Say" } };
  const shares = ruled(
    { match: [{ ...said, headers: { "x-nobody": { exact: "me" } } }], directResponse: { status: 403 } },
    { match: [said], timeout: "5s", route: [destination("echo", 50), destination("other", 50)] },
    { directResponse: { status: 404 } },
  );
  const daemon = await startDaemon({
    config: { registries: fileRegistry, rules: [{ files: "rules.json" }] },
    files: { "services.json": servicesFile(services), "rules.json": shares },
  });
  closing.push(() => daemon.stop());
  const call = startClient(daemon.xdsPort);
  const target = `xds:///${hostname("echo")}:7070`;
  expect(new Set(await call(target, 60))).toEqual(new Set(["a: hello", "b: hello"]));

  await writeFile(join(daemon.dir, "rules.json"), ruled({ directResponse: { status: 403 } }));
  const isDenied = async () => (await call(target, 1))[0]?.includes("PERMISSION_DENIED") === true;
  await waitFor(isDenied, { what: "calls to be answered as the rule says" });

  const abort = { httpStatus: 503, percentage: { value: 100 } };
  await writeFile(join(daemon.dir, "rules.json"), ruled({ fault: { abort }, route: [destination("other", 1)] }));
  const isFailed = async () => (await call(target, 1))[0]?.includes("UNAVAILABLE") === true;
  await waitFor(isFailed, { what: "calls to fail as the rule says" });

  await writeFile(join(daemon.dir, "rules.json"), ruled({ route: [destination("other", 1)] }));
  await waitFor(async () => (await call(target, 1))[0] === "b: hello", { what: "calls to reach the other service" });
  expect(new Set(await call(target, 20))).toEqual(new Set(["b: hello"]));
  expect(daemon.log()).not.toMatch(/nack/i);
});
