import { istioKinds, type IstioKind } from "@signalbox/istio-objects";
import { SourceError } from "@signalbox/registry";
import type { ApiClient } from "../client.ts";

/** A kind that the API server has, and the path of its version that is read. */
export interface ServedKind {
  readonly kind: IstioKind;
  /** `/apis/networking.istio.io/v1`. */
  readonly path: string;
}

const maximumAnswer = 16 * 1024 * 1024;

/**
 * Asks an API server which kinds of Istio it has, each in the best version that it serves. Every user may ask: Kubernetes allows it by its role
 * `system:discovery`. Throws what `ApiClient.get` throws, and a SourceError for an answer that makes no sense.
 */
export async function discoverIstioKinds(
  api: Pick<ApiClient, "get">,
  { requestMs, signal }: { readonly requestMs: number; readonly signal: AbortSignal },
): Promise<readonly ServedKind[]> {
  const ask = async (path: string): Promise<unknown> => {
    const answer = await api.get({ path, signal, idleMs: requestMs, maxBytes: maximumAnswer });
    return JSON.parse(await answer.text()) as unknown;
  };
  const wanted = new Set<string>(istioKinds.map(({ group }) => group));
  const groups = listIn(await ask("/apis"), "groups", "/apis").filter((group) => wanted.has(textIn(group, "name")));
  const plurals = new Map<string, ReadonlySet<string>>();
  for (const group of groups) {
    for (const version of listIn(group, "versions", "/apis")) {
      const path = `/apis/${textIn(version, "groupVersion")}`;
      const resources = listIn(await ask(path), "resources", path);
      plurals.set(path, new Set(resources.map((resource) => textIn(resource, "name"))));
    }
  }
  return istioKinds.flatMap((kind) => {
    const paths = kind.versions.map((version) => `/apis/${kind.group}/${version}`);
    const path = paths.find((one) => plurals.get(one)?.has(kind.plural) === true);
    return path === undefined ? [] : [{ kind, path }];
  });
}

function listIn(value: unknown, field: string, path: string): readonly unknown[] {
  const list = membersOf(value)[field];
  if (!Array.isArray(list)) throw new SourceError("PROTOCOL_ERROR", `${path}: the answer has no ${field}`);
  return list;
}

function textIn(value: unknown, field: string): string {
  const text = membersOf(value)[field];
  return typeof text === "string" ? text : "";
}

function membersOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : {};
}
