import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  freePorts,
  get,
  runCommand,
  signalbox,
  startEnvoy,
  startHttpBackend,
  startNats,
  startRedis,
  waitFor,
} from "@signalbox/test-servers";
import { expect, it } from "vitest";

const examples = join(import.meta.dirname, "../../../examples");

it("the xDS server alone serves the Envoy of its example", async () => {
  const [port = 0, listener = 0] = await freePorts(2);
  const backend = await startHttpBackend({ name: "backend" });
  const child = spawn(process.execPath, [join(examples, "xds-server-only/server.mjs")], {
    env: { ...process.env, PORT: String(port), LISTENER_PORT: String(listener), BACKEND_PORT: String(backend.port) },
    stdio: ["ignore", "ignore", "inherit"],
  });
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const bootstrap = readFileSync(join(examples, "xds-server-only/envoy.yaml"), "utf8")
    .replace("port_value: 15010", `port_value: ${port}`)
    .replace("port_value: 9901", "port_value: 0");
  const envoy = await startEnvoy({ bootstrap });
  try {
    const routed = async () => (await get(listener, "anything")).text === "backend";
    await waitFor(routed, { what: "a request to arrive" });
    expect(await envoy.nacks()).toBe(0);
  } finally {
    await envoy.stop();
    child.kill("SIGTERM");
    expect(await exited).toBe(0);
    await backend.stop();
  }
});

it("the Docker example has a catalog, and its bootstrap is what the command prints", () => {
  const config = join(examples, "docker/signalbox.yaml");
  const { services } = JSON.parse(signalbox("catalog", "--config", config, "-o", "json")) as {
    services: { hostname: string; resolution: string; instances: unknown[] }[];
  };
  expect(services).toMatchObject([{ hostname: "hello.demo.svc.cluster.local", resolution: "DNS" }]);
  expect(services[0]?.instances).toHaveLength(2);
  const [comment = "", ...bootstrap] = readFileSync(join(examples, "docker/envoy.yaml"), "utf8").split("\n");
  const args = comment.replace("# Written by: signalbox ", "").split(" ");
  expect(signalbox(...args, "--admin-port", "9901")).toBe(bootstrap.join("\n"));
});

it.each([
  { name: "nats", variable: "NATS_URL", startEngine: () => startNats({ own: true }) },
  { name: "redis", variable: "REDIS_URL", startEngine: () => startRedis({ own: true }) },
])(
  "the scale-out example brings changes to both publishers over $name, with the commands of docker-compose.yml",
  async ({ name, variable, startEngine }) => {
    const engine = await startEngine();
    try {
      const printed = await runCommand(process.execPath, [join(examples, "scale-out/run.mjs"), name], {
        env: { ...process.env, [variable]: engine.url },
      });
      expect(printed).toMatch(/127\.0\.0\.1:9002 is on .* on /);
      expect(printed).toMatch(/the standby leads after \d/);
      expect(printed).toMatch(/127\.0\.0\.1:9003 is on .* on /);
      const ran = [...printed.matchAll(/^\$ signalbox (.*)$/gm)].map(([, command]) => command);
      const compose = readFileSync(join(examples, "../docker-compose.yml"), "utf8");
      const commands = [...compose.matchAll(/^ {4}command: ((?:discover|publish) .*)$/gm)].map(
        ([, command]) => command,
      );
      expect(ran).toHaveLength(4);
      expect(ran).toEqual(commands.filter((command) => command?.endsWith(`${name}.yaml`)));
    } finally {
      await engine.stop();
    }
  },
);

it("the Envoys of the scale-out containers have the bootstraps that the command prints", () => {
  for (const file of ["envoy-1.yaml", "envoy-2.yaml"]) {
    const [comment = "", ...bootstrap] = readFileSync(join(examples, "scale-out", file), "utf8").split("\n");
    const args = comment.replace("# Written by: signalbox ", "").split(" ");
    expect(signalbox(...args)).toBe(bootstrap.join("\n"));
  }
});
