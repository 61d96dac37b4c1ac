import type { Action, Load, MeshSize } from "./cell.ts";
import type { RunningServer } from "./running-server.ts";
import { namespaceOf } from "./product/mesh.ts";

const firstCluster = "outbound|80||svc-0.mesh.internal";

/** The arguments of the load client for one load on one server, and on a `next` one that clients go to in the end. */
export function loadArguments(
  { pid, statsUrl, triggers, xdsPort }: RunningServer,
  mesh: MeshSize,
  load: Load,
  next?: Pick<RunningServer, "pid" | "xdsPort">,
): readonly string[] {
  const namespace = mesh.namespaces === 1 ? namespaceOf(0, mesh) : "team-{ns}";
  const metadata = {
    NAMESPACE: namespace,
    CLUSTER_ID: "Kubernetes",
    ...(load.vhds === true && { SIGNALBOX_VHDS: "true" }),
    ...(load.grpcTargets !== undefined && { GENERATOR: "grpc" }),
  };
  const given: Readonly<Record<string, string | number>> = {
    addr: `127.0.0.1:${xdsPort}`,
    clients: load.clients,
    mode: load.mode,
    namespaces: mesh.namespaces,
    "node-id": `sidecar~{ip}~app-{n}.${namespace}~${namespace}.svc.cluster.local`,
    "node-metadata": JSON.stringify(metadata),
    "expect-clusters": mesh.services,
    pid,
    // What a sync leaves to be done is no part of an idle time.
    settle: load.idle === undefined ? "300ms" : "2s",
    // Together longer than changes are gathered for.
    quiet: "100ms",
    interval: "10ms",
    "change-timeout": "60s",
    "max-duration": "10m",
    ...(load.grpcTargets !== undefined && {
      style: "grpc",
      targets: load.grpcTargets,
      "targets-of": mesh.services,
      "user-agent": "gRPC Go",
      "user-agent-version": "",
    }),
    ...(load.idle !== undefined && { hold: `${load.idle}s` }),
    ...(statsUrl !== undefined && { "stats-url": statsUrl }),
    ...(next && { "resume-addr": `127.0.0.1:${next.xdsPort}`, "resume-pid": next.pid }),
    ...(load.ramp !== undefined && { ramp: load.ramp }),
    ...(load.ownOrder === true && { names: "own" }),
    ...actionArguments(load.action, load.slow ?? 0, mesh, triggers),
  };
  return [...Object.entries(given).flatMap(([name, value]) => [`-${name}`, String(value)]), "-until-stdin-ends"];
}

function actionArguments(
  action: Action,
  slow: number,
  mesh: MeshSize,
  triggers: string,
): Readonly<Record<string, string | number>> {
  if (action.type === "none") return {};
  if (action.type === "churn")
    return {
      "churn-url": `${triggers}/churn?first={first}&count={count}`,
      "churn-changes": action.changes,
      "churn-rate": action.perSecond,
      "churn-services": mesh.services,
      slow,
    };
  const changes = { iterations: action.changes, warmup: action.warmup ?? 2 };
  switch (action.type) {
    case "endpoint":
      return {
        ...changes,
        "trigger-url": `${triggers}/change?service=0&endpoint=0&address={value}`,
        "match-cluster": firstCluster,
      };
    case "all":
      return { ...changes, "trigger-url": `${triggers}/all?address={value}`, "match-cluster": firstCluster };
    case "rule":
      return {
        ...changes,
        "trigger-url": `${triggers}/route?value={value}`,
        "match-type": "rds",
        value: "canary-{hi}-{lo}-{i}",
      };
    case "service":
      return { ...changes, "trigger-url": `${triggers}/service?value=new-{i}&address={value}` };
  }
}
