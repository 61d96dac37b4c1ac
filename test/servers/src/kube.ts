import { randomBytes } from "node:crypto";
import { rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { apiRequest } from "./api-request.ts";
import type { ApiAnswer, ApiRequest } from "./api-request.ts";
import { createAuthority } from "./certificates.ts";
import type { Environment } from "./cache.ts";
import type { CertificateFiles } from "./certificates.ts";
import { freePorts } from "./ports.ts";
import { provideKube, ServerUnavailableError } from "./provide-server.ts";
import { runCommand } from "./run-command.ts";
import { controlOf, serverFolder, ServerProcess } from "./server-process.ts";
import type { ServerControl } from "./server-process.ts";
import { sharedControl, SharedServerError, sharedUrl } from "./shared-server.ts";
import type { StartOptions } from "./shared-server.ts";
import { waitFor } from "./wait-for.ts";

/** A user whom the API server knows by a token. */
export interface KubeUser {
  readonly name: string;
  readonly token: string;
  readonly groups?: readonly string[];
}

/** One rule of a ClusterRole. */
export interface KubeRule {
  readonly apiGroups: readonly string[];
  readonly resources: readonly string[];
  readonly verbs: readonly string[];
}

/** Options of `startKube`. */
export interface KubeOptions extends StartOptions {
  /** Further users. They may do nothing until `grant`. */
  readonly users?: readonly KubeUser[];
  /** Further arguments of kube-apiserver, such as `["--min-request-timeout=2"]`. */
  readonly apiserverArgs?: readonly string[];
}

/** With what a kubeconfig file proves who its user is. */
export type KubeCredential = { readonly token: string } | { readonly tokenFile: string } | CertificateFiles;

/** Who speaks: a token, the admin's by default. An empty one is anonymous. */
export interface KubeRequest extends ApiRequest {
  readonly token?: string;
}

/**
 * A running Kubernetes API: kube-apiserver over etcd, without controllers, scheduler and kubelet. So nobody makes
 * EndpointSlices, deletes a namespace's content or starts a pod: tests write those objects themselves, each in its own
 * namespace. Control is of kube-apiserver; etcd has its own. `stop()` ends both and must be called.
 */
export interface RunningKube extends ServerControl {
  /** `https://host:port`. */
  readonly url: string;
  readonly caFile: string;
  readonly adminToken: string;
  /** A kubeconfig file of the admin. */
  readonly kubeconfig: string;
  /** Control of etcd. Do not call its `stop()`. */
  readonly etcd: ServerControl;
  /** Address of etcd's API; absent for a shared server. */
  readonly etcdUrl: string | undefined;
  /** Asks the API. Any status is an answer. */
  request(path: string, options?: KubeRequest): Promise<ApiAnswer>;
  /** Creates an object at the path of its collection as the admin and returns it. Rejects unless the status is 201. */
  create(path: string, object: object): Promise<Record<string, unknown>>;
  /** Gives a user a ClusterRole with these rules, and waits until it is in force. */
  grant(user: string, rules: readonly KubeRule[]): Promise<void>;
  /** Writes a kubeconfig file, for the admin's token unless told otherwise. */
  writeKubeconfig(path: string, credential?: KubeCredential): Promise<void>;
  /** Signs a client certificate for a user. Rejects for a shared server. */
  clientCertificate(user: string, group?: string): Promise<CertificateFiles>;
}

interface KubeAccess {
  readonly url: string;
  readonly caFile: string;
  readonly adminToken: string;
}

type Rest = Pick<RunningKube, "etcd" | "etcdUrl" | "clientCertificate">;

/**
 * Starts a real Kubernetes API: the one at `SIGNALBOX_KUBE_URL` (with the admin's token in `SIGNALBOX_KUBE_TOKEN` and the
 * authority's file in `SIGNALBOX_KUBE_CA`), or as two processes on loopback, with role-based access control. Ready when
 * `/readyz` says so. Docker is not asked: k3s has controllers, which these tests must not have. Rejects with a
 * ServerUnavailableError or a ServerFailedError.
 */
export async function startKube(options: KubeOptions = {}): Promise<RunningKube> {
  const { users = [], apiserverArgs = [], deadlineMs = 180_000, env = process.env, signal } = options;
  const plain = users.length === 0 && apiserverArgs.length === 0;
  const shared = await sharedUrl("SIGNALBOX_KUBE_URL", undefined, plain ? options : { ...options, own: true });
  if (shared !== undefined) return sharedKube(shared, env);
  const programs = await provideKube({ env, signal });
  const [etcdPort = 0, peerPort = 0, free = 0] = await freePorts(3);
  const port = options.port ?? free;
  const dir = await serverFolder("kube");
  const adminToken = randomBytes(16).toString("hex");
  const admin: KubeUser = { name: "admin", token: adminToken, groups: ["system:masters"] };
  const authority = await writeFiles(dir, [admin, ...users]);
  const access = { url: `https://127.0.0.1:${port}`, caFile: authority.caFile, adminToken };
  const etcdUrl = `http://127.0.0.1:${etcdPort}`;
  const common = { dir, deadlineMs, signal };
  const etcd = await ServerProcess.start({
    name: "etcd",
    program: programs.etcd,
    args: etcdArguments(dir, etcdUrl, `http://127.0.0.1:${peerPort}`),
    ready: async (asking) => (await apiRequest(`${etcdUrl}/health`, { signal: asking })).text.includes('"true"'),
    ...common,
  });
  try {
    const apiserver = await ServerProcess.start({
      name: "kube-apiserver",
      program: programs.apiserver,
      args: [...apiserverArguments(dir, port, etcdUrl), ...apiserverArgs],
      ready: async (asking) => (await ask(access, "/readyz", { token: "", signal: asking })).status === 200,
      ...common,
    });
    const clientCertificate = (user: string, group?: string) =>
      authority.issue(`client-${user}`, { commonName: user, ...(group !== undefined && { organisation: group }) });
    const rest = { etcd: controlOf(etcd), etcdUrl, clientCertificate };
    return await runningKube(dir, access, bothOf(apiserver, etcd), rest);
  } catch (error) {
    await etcd.kill();
    throw error;
  }
}

async function sharedKube(url: string, env: Environment): Promise<RunningKube> {
  const caFile = env["SIGNALBOX_KUBE_CA"] ?? "";
  const adminToken = env["SIGNALBOX_KUBE_TOKEN"] ?? "";
  if (caFile === "" || adminToken === "")
    throw new ServerUnavailableError(
      "kube",
      "SIGNALBOX_KUBE_URL is set, but not all that belongs to it",
      "Set SIGNALBOX_KUBE_TOKEN to an admin's token and SIGNALBOX_KUBE_CA to the authority's file, or unset all three.",
    );
  const control = sharedControl("kube");
  const clientCertificate = () =>
    Promise.reject(new SharedServerError("kube", "sign a certificate with the authority of"));
  const dir = await serverFolder("kube");
  const stop = () => rm(dir, { recursive: true, force: true });
  const rest = { etcd: control, etcdUrl: undefined, clientCertificate };
  return runningKube(dir, { url, caFile, adminToken }, { ...control, stop }, rest);
}

/** Control of the API server whose end is also etcd's. */
function bothOf(apiserver: ServerControl, etcd: ServerControl): ServerControl {
  const stop = async (): Promise<void> => {
    // etcd last, or the API server waits for it; but in any case, and it removes the folder, unless one failed.
    const results = [await settled(apiserver.stop())];
    const failed = results[0]?.status === "rejected";
    results.push(await settled(failed ? etcd.kill() : etcd.stop()));
    for (const result of results) if (result.status === "rejected") throw result.reason;
  };
  return { ...controlOf(apiserver), stop };
}

async function settled(work: Promise<void>): Promise<PromiseSettledResult<void>> {
  const [result] = await Promise.allSettled([work]);
  return result;
}

async function runningKube(dir: string, access: KubeAccess, control: ServerControl, rest: Rest): Promise<RunningKube> {
  const request = (path: string, options: KubeRequest = {}) => ask(access, path, options);
  const create = async (path: string, object: object): Promise<Record<string, unknown>> => {
    const answer = await request(path, { method: "POST", body: object });
    if (answer.status !== 201) throw new Error(`POST ${path} was answered with ${answer.status}: ${answer.text}`);
    return answer.json() as Record<string, unknown>;
  };
  const writeKubeconfig = (path: string, credential: KubeCredential = { token: access.adminToken }) =>
    writeFile(path, kubeconfigText(access, credential), { mode: 0o600 });
  const kubeconfig = join(dir, "admin.kubeconfig");
  await writeKubeconfig(kubeconfig);
  const grant = async (user: string, rules: readonly KubeRule[]): Promise<void> => {
    const name = `test-${randomBytes(6).toString("hex")}`;
    const rbac = "/apis/rbac.authorization.k8s.io/v1";
    await create(`${rbac}/clusterroles`, { metadata: { name }, rules });
    await create(`${rbac}/clusterrolebindings`, {
      metadata: { name },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name },
      subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: user }],
    });
    const what = `the rights of ${user}`;
    await waitFor(() => everyAllowed(request, user, rules), { what, deadlineMs: 30_000 });
  };
  const methods = { request, create, grant, writeKubeconfig };
  return { ...access, kubeconfig, ...rest, ...methods, ...controlOf(control) };
}

/** The server's own word on whether a user may do all that the rules say. */
async function everyAllowed(
  request: RunningKube["request"],
  user: string,
  rules: readonly KubeRule[],
): Promise<boolean> {
  for (const rule of rules) {
    for (const [group, resource, verb] of combinations(rule)) {
      const [name = "", subresource = ""] = resource.split("/");
      const resourceAttributes = { group, resource: name, subresource, verb };
      const answer = await request("/apis/authorization.k8s.io/v1/subjectaccessreviews", {
        method: "POST",
        body: { spec: { user, resourceAttributes } },
      });
      const { status } = answer.json() as { status?: { allowed?: boolean } };
      if (status?.allowed !== true) return false;
    }
  }
  return true;
}

function combinations({ apiGroups, resources, verbs }: KubeRule): [string, string, string][] {
  return apiGroups.flatMap((group) =>
    resources.flatMap((resource) => verbs.map((verb): [string, string, string] => [group, resource, verb])),
  );
}

function ask({ url, caFile, adminToken }: KubeAccess, path: string, options: KubeRequest): Promise<ApiAnswer> {
  const token = options.token ?? adminToken;
  const headers = { ...options.headers, ...(token !== "" && { authorization: `Bearer ${token}` }) };
  return apiRequest(`${url}${path}`, { ...options, headers, tls: { caFile } });
}

async function writeFiles(dir: string, users: readonly KubeUser[]): ReturnType<typeof createAuthority> {
  const authority = await createAuthority(dir);
  const alternativeNames = ["DNS:localhost", "DNS:kubernetes.default.svc", "IP:127.0.0.1", "IP:10.0.0.1"];
  const account = join(dir, "service-account");
  await Promise.all([
    authority.issue("server", { commonName: "kube-apiserver", alternativeNames }),
    runCommand("openssl", ["genrsa", "-out", `${account}.key`, "2048"]).then(() =>
      runCommand("openssl", ["rsa", "-in", `${account}.key`, "-pubout", "-out", `${account}.pub`]),
    ),
    writeFile(join(dir, "tokens.csv"), users.map(tokenLine).join("")),
  ]);
  return authority;
}

function tokenLine({ name, token, groups = [] }: KubeUser): string {
  return `${token},${name},${name},"${groups.join(",")}"\n`;
}

function etcdArguments(dir: string, client: string, peer: string): string[] {
  const clients = ["--listen-client-urls", client, "--advertise-client-urls", client];
  const peers = ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer];
  const data = ["--data-dir", join(dir, "etcd"), "--initial-cluster", `default=${peer}`];
  // Without fsync a machine's crash could lose data; a killed process loses none.
  return [...data, ...clients, ...peers, "--unsafe-no-fsync", "--log-level", "error"];
}

function apiserverArguments(dir: string, port: number, etcdUrl: string): string[] {
  const account = join(dir, "service-account");
  const settings = {
    "etcd-servers": etcdUrl,
    "secure-port": port,
    "bind-address": "127.0.0.1",
    "advertise-address": "127.0.0.1",
    "tls-cert-file": join(dir, "server.crt"),
    "tls-private-key-file": join(dir, "server.key"),
    "client-ca-file": join(dir, "ca.crt"),
    "cert-dir": join(dir, "apiserver"),
    "token-auth-file": join(dir, "tokens.csv"),
    "authorization-mode": "RBAC",
    "service-account-issuer": "https://kubernetes.default.svc",
    "service-account-key-file": `${account}.pub`,
    "service-account-signing-key-file": `${account}.key`,
    "service-cluster-ip-range": "10.0.0.0/16",
    "allow-privileged": true,
    // Its controller, which would make the default account of each namespace, does not run.
    "disable-admission-plugins": "ServiceAccount",
    "endpoint-reconciler-type": "none",
    // Else open watches hold up the end for a minute.
    "shutdown-watch-termination-grace-period": "1s",
  };
  return Object.entries(settings).map(([name, value]) => `--${name}=${value}`);
}

function kubeconfigText({ url, caFile }: KubeAccess, credential: KubeCredential): string {
  const user =
    "certFile" in credential
      ? { "client-certificate": credential.certFile, "client-key": credential.keyFile }
      : credential;
  // JSON is YAML.
  const config = {
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "test", cluster: { server: url, "certificate-authority": caFile } }],
    users: [{ name: "test", user }],
    contexts: [{ name: "test", context: { cluster: "test", user: "test" } }],
    "current-context": "test",
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}
