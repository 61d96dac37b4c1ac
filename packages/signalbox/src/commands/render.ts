import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import { formatYaml, parseDocuments } from "@signalbox/files";
import { formatPath, silentLogger, type ConfigFault } from "@signalbox/registry";
import { schemaFaults } from "@signalbox/registry/config";
import { parseNode, renderProxy, type MeshConfig, type ProxyNode } from "@signalbox/xds";
import { z } from "zod";
import { meshSchema } from "../config/mesh-schema.ts";
import { readCatalogOnce } from "../offline-catalog.ts";
import { failIfIncomplete } from "./catalog.ts";
import { CommandFailure, exitCodes, type CommandContext } from "./context.ts";
import { planFiles } from "./read-config.ts";

/** The flags of `signalbox render`. */
export interface RenderFlags {
  readonly rules: readonly string[];
  readonly kubernetes?: string;
  readonly mesh?: string;
  readonly proxy: string;
  readonly output: "json" | "yaml";
}

/** The description of a proxy, as `--proxy` names it. */
const proxySchema = z.looseObject({
  type: z.enum(["sidecar", "router", "plain", "grpc"]),
  id: z.string().min(1),
  ip: z.array(z.string()).default([]),
  namespace: z.string().default("default"),
  labels: z.record(z.string(), z.string()).default({}),
  dnsDomain: z.string().exactOptional(),
  metadata: z.record(z.string(), z.json()).default({}),
});

/** `signalbox render`: prints all resources that one proxy would get. */
export async function renderCommand(flags: RenderFlags, context: CommandContext): Promise<void> {
  const mesh = flags.mesh === undefined ? {} : await readMesh(flags.mesh, context);
  const node = await readProxy(flags.proxy);
  const read = await readCatalogOnce(
    await planFiles(flags.rules, "rules", flags.kubernetes),
    resolve("."),
    silentLogger,
  );
  failIfIncomplete(read);
  const rendered = renderProxy(read.catalog, node, { mesh });
  context.stdout.write(flags.output === "json" ? `${JSON.stringify(rendered, undefined, 2)}\n` : formatYaml(rendered));
}

/**
 * MeshConfig as Istio's users have it: fields that have no effect here are named on standard error and left out, because a file that was
 * written for Istio has many of them.
 */
async function readMesh(file: string, context: CommandContext): Promise<MeshConfig> {
  const mesh = (await readDocument(file)) ?? {};
  const ignored: string[] = [];
  for (;;) {
    const result = meshSchema.safeParse(mesh);
    for (const field of ignored) context.stderr.write(`signalbox: ${file}: ${field} has no effect in this version\n`);
    if (result.success) return result.data;
    const unknown = result.error.issues.filter((issue) => issue.code === "unrecognized_keys");
    if (unknown.length === 0) throw faultsOf(file, schemaFaults(meshSchema, mesh, result.error.issues));
    for (const { keys, path } of unknown)
      for (const key of keys) ignored.push(formatPath(remove(mesh, [...path, key] as (string | number)[])));
  }
}

function remove(root: unknown, path: readonly (string | number)[]): readonly (string | number)[] {
  let holder = root;
  for (const part of path.slice(0, -1)) holder = (holder as Record<string | number, unknown>)[part];
  Reflect.deleteProperty(holder as object, path.at(-1) ?? "");
  return path;
}

async function readProxy(file: string): Promise<ProxyNode> {
  const data = (await readDocument(file)) ?? {};
  const result = proxySchema.safeParse(data);
  if (!result.success) throw faultsOf(file, schemaFaults(proxySchema, data, result.error.issues));
  const { dnsDomain, id, ip, labels, metadata, namespace, type } = result.data;
  const domain = dnsDomain ?? `${namespace}.svc.cluster.local`;
  const istio = type === "sidecar" || type === "router";
  return parseNode({
    id: istio && !id.includes("~") ? `${type}~${ip[0] ?? "0.0.0.0"}~${id}~${domain}` : id,
    metadata: {
      NAMESPACE: namespace,
      LABELS: labels,
      DNS_DOMAIN: domain,
      ...(ip.length === 0 ? {} : { INSTANCE_IPS: ip.join(",") }),
      ...(type === "grpc" ? { GENERATOR: "grpc" } : {}),
      ...metadata,
    },
  });
}

/** The one document of a file; `undefined` for an empty file. */
async function readDocument(file: string): Promise<unknown> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (error) {
    throw new CommandFailure(`${file} cannot be read: ${(error as Error).message}`, exitCodes.usage, { cause: error });
  }
  const { documents, errors } = parseDocuments(text, { file });
  if (errors.length > 0) {
    const lines = errors.map(({ column, line, message }) => `${file}:${line}:${column}: ${message}`);
    throw new CommandFailure(lines.join("\n"), exitCodes.usage);
  }
  return documents[0]?.value;
}

function faultsOf(file: string, faults: readonly ConfigFault[]): CommandFailure {
  const lines = faults.map(({ message, path }) => `${file}: ${formatPath(path)}: ${message}`);
  return new CommandFailure(lines.join("\n"), exitCodes.usage);
}
