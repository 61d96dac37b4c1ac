import { rename, writeFile } from "node:fs/promises";
import type { RunningKube } from "@signalbox/test-servers";
import { until } from "./fault.ts";

const name = "signalbox";
const namespace = "shop";
const accounts = `/api/v1/namespaces/${namespace}/serviceaccounts`;
const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;

/** The service account that the daemon reads with: its rights in one namespace, and its token in a file. */
export class KubernetesReader {
  readonly tokenFile: string;
  readonly #kube: RunningKube;

  constructor(kube: RunningKube, tokenFile: string) {
    this.#kube = kube;
    this.tokenFile = tokenFile;
  }

  /** Makes the account and puts a token of it into the file, as a kubelet does. */
  async begin(): Promise<void> {
    await this.#kube.create(accounts, { metadata: { name } });
    const answer = await this.#kube.create(`${accounts}/${name}/token`, { spec: {} });
    await writeFile(`${this.tokenFile}.new`, (answer["status"] as { token: string }).token);
    await rename(`${this.tokenFile}.new`, this.tokenFile);
  }

  /** Deletes the account, which ends every token of it. */
  async end(): Promise<void> {
    await this.#kube.request(`${accounts}/${name}`, { method: "DELETE" });
  }

  /** Gives the account the rights that the adapter's README asks for, in its namespace. */
  async allow(): Promise<void> {
    const verbs = ["list", "watch"];
    const rules = [
      { apiGroups: [""], resources: ["services", "pods"], verbs },
      { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs },
    ];
    const known = await this.#kube.request(`${rbac}/roles/${name}`);
    if (known.status === 404) await this.#kube.create(`${rbac}/roles`, { metadata: { name }, rules });
    await this.#kube.create(`${rbac}/rolebindings`, {
      metadata: { name },
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name },
      subjects: [{ kind: "ServiceAccount", name, namespace }],
    });
    await this.#untilAllowed(true);
  }

  /** Takes the rights away again. */
  async forbid(): Promise<void> {
    await this.#kube.request(`${rbac}/rolebindings/${name}`, { method: "DELETE" });
    await this.#untilAllowed(false);
  }

  /** Rights take effect a moment after they were written. */
  async #untilAllowed(wanted: boolean): Promise<void> {
    await until(`the rights of ${name} to be ${wanted ? "there" : "gone"}`, async () => {
      const answer = await this.#kube.request("/apis/authorization.k8s.io/v1/subjectaccessreviews", {
        method: "POST",
        body: {
          spec: {
            user: `system:serviceaccount:${namespace}:${name}`,
            resourceAttributes: { namespace, group: "discovery.k8s.io", resource: "endpointslices", verb: "watch" },
          },
        },
      });
      return (answer.json() as { status?: { allowed?: boolean } }).status?.allowed === wanted;
    });
  }
}
