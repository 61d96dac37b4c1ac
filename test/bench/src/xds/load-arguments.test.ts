import { expect, it } from "vitest";
import type { Load, MeshSize } from "./cell.ts";
import { loadArguments } from "./load-arguments.ts";

const server = {
  pid: 7,
  xdsPort: 1,
  triggers: "http://127.0.0.1:2",
  failed: new Promise<never>(() => {}),
  stop: () => Promise.resolve(),
};
const mesh: MeshSize = { services: 100, endpoints: 10, rules: 1, namespaces: 1 };
const load: Load = { clients: 3, mode: "delta", action: { type: "none" } };

/** The value that follows a flag. */
function flag(name: string, more: Partial<Load> = {}, size: Partial<MeshSize> = {}): string | undefined {
  const found = loadArguments(server, { ...mesh, ...size }, { ...load, ...more });
  const index = found.indexOf(`-${name}`);
  return index < 0 ? undefined : found[index + 1];
}

it.each<[string, Partial<Load>, string | undefined]>([
  ["clients", {}, "3"],
  ["mode", { mode: "sotw" }, "sotw"],
  ["iterations", {}, undefined],
  ["iterations", { action: { type: "rule", changes: 5 } }, "5"],
  ["match-type", { action: { type: "rule", changes: 5 } }, "rds"],
  ["churn-rate", { action: { type: "churn", changes: 5, perSecond: 9 } }, "9"],
  ["slow", { action: { type: "churn", changes: 5, perSecond: 9 }, slow: 2 }, "2"],
  ["ramp", { ramp: 50 }, "50"],
  ["names", {}, undefined],
  ["names", { ownOrder: true }, "own"],
  ["stats-url", {}, undefined],
  ["style", {}, undefined],
  ["style", { grpcTargets: 5 }, "grpc"],
  ["targets", { grpcTargets: 5 }, "5"],
  ["targets-of", { grpcTargets: 5 }, "100"],
  ["hold", {}, undefined],
  ["hold", { idle: 5 }, "5s"],
  ["match-type", { action: { type: "all", changes: 1 } }, undefined],
  ["trigger-url", { action: { type: "all", changes: 1 } }, "http://127.0.0.1:2/all?address={value}"],
])("gives -%s for %j: %s", (name, more, value) => {
  expect(flag(name, more)).toBe(value);
});

it("has clients ask for virtual hosts by VHDS only where the load says so", () => {
  expect(flag("node-metadata")).not.toContain("SIGNALBOX_VHDS");
  expect(JSON.parse(flag("node-metadata", { vhds: true }) ?? "")).toMatchObject({ SIGNALBOX_VHDS: "true" });
});

it("has gRPC clients say that they are", () => {
  expect(flag("node-metadata")).not.toContain("GENERATOR");
  expect(JSON.parse(flag("node-metadata", { grpcTargets: 1 }) ?? "")).toMatchObject({ GENERATOR: "grpc" });
});

it("spreads clients over the namespaces of the mesh", () => {
  expect(flag("node-id", {}, { namespaces: 20 })).toBe("sidecar~{ip}~app-{n}.team-{ns}~team-{ns}.svc.cluster.local");
  expect(flag("node-id")).toContain("~default.svc.cluster.local");
});
