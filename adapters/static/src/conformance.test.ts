import {
  cp,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  realpath,
  rename,
  rm,
  symlink,
  unlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { objectKey, serviceKey, workloadKey } from "@signalbox/model";
import type { ConfigObject, ObjectKey, ServiceKey, WorkloadKey } from "@signalbox/model";
import {
  describeRegistry,
  type Malformation,
  type SourceService,
  type SourceWorld,
} from "@signalbox/registry/conformance";
import { parseStaticConfig } from "./config.ts";
import { StaticRegistry } from "./registry.ts";

/** A folder that is reached through a link, as Kubernetes mounts a ConfigMap. One file holds one service, workload or object. */
class FolderWorld implements SourceWorld {
  readonly root: string;
  #generation = 0;
  #truncated = new Map<string, string>();

  constructor(root: string) {
    this.root = root;
  }

  static async create(): Promise<FolderWorld> {
    const world = new FolderWorld(await realpath(await mkdtemp(join(tmpdir(), "signalbox-static-"))));
    await mkdir(world.#folder);
    await symlink(world.#folder, world.path);
    return world;
  }

  /** What the registry reads. */
  get path(): string {
    return join(this.root, "services");
  }

  get #folder(): string {
    return join(this.root, `..${this.#generation}`);
  }

  async set({ name, port, instances }: SourceService): Promise<ServiceKey> {
    const endpoints = instances.map(({ ip, labels = {} }) => ({ address: ip, labels }));
    await this.#write(name, { services: [{ name, ports: [`${port}/http`], endpoints }] });
    return serviceKey({ namespace: "default", hostname: `${name}.default.svc.cluster.local` });
  }

  async remove(name: string): Promise<void> {
    await unlink(join(this.#folder, `${name}.json`));
  }

  async touch(): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      const file = join(this.#folder, name);
      await this.#replace(file, await readFile(file, "utf8"));
    }
  }

  async break(): Promise<void> {
    await rename(this.path, join(this.root, "away"));
  }

  async truncate(): Promise<void> {
    for (const name of await readdir(this.#folder)) {
      const file = join(this.#folder, name);
      const text = await readFile(file, "utf8");
      this.#truncated.set(file, text);
      await this.#replace(file, text.slice(0, text.length / 2));
    }
  }

  async mend(): Promise<void> {
    if ((await readdir(this.root)).includes("away")) await rename(join(this.root, "away"), this.path);
    for (const [file, text] of this.#truncated) await this.#replace(file, text);
    this.#truncated.clear();
  }

  async restart(): Promise<void> {
    await this.together(async () => {});
  }

  async together(changes: () => Promise<void>): Promise<void> {
    const before = this.#folder;
    this.#generation++;
    await cp(before, this.#folder, { recursive: true });
    await changes();
    const link = join(this.root, "..link");
    await symlink(this.#folder, link);
    await rename(link, this.path);
    await rm(before, { recursive: true });
  }

  async malform(kind: Malformation): Promise<void> {
    const service = { name: "malformed", ports: ["80/http"], endpoints: [{ address: "10.9.9.9" }] };
    const endpoint = { address: "10.9.9.9" };
    const forms: Record<Malformation, object> = {
      object: { ...service, name: 7 },
      port: { ...service, endpoints: [{ ...endpoint, port: 70_000 }] },
      weight: { ...service, endpoints: [{ ...endpoint, weight: -1 }] },
      address: { ...service, endpoints: ["no address"] },
    };
    await this.#write("malformed", { services: [forms[kind]] });
  }

  async setWorkload(name: string, ip: string): Promise<WorkloadKey> {
    await this.#write(name, object("WorkloadEntry", name, { address: ip }));
    return workloadKey("test", "default", name);
  }

  async removeWorkload(name: string): Promise<void> {
    await this.remove(name);
  }

  async setObject({ kind, name, spec }: Pick<ConfigObject, "kind" | "name" | "spec">): Promise<ObjectKey> {
    await this.#write(name, object(kind, name, spec));
    return objectKey({ kind, namespace: "default", name });
  }

  async removeObject(key: ObjectKey): Promise<void> {
    await this.remove(key.slice(key.lastIndexOf("/") + 1));
  }

  async close(): Promise<void> {
    await rm(this.root, { recursive: true, force: true });
  }

  async #write(name: string, content: object): Promise<void> {
    await this.#replace(join(this.#folder, `${name}.json`), JSON.stringify(content));
  }

  async #replace(file: string, text: string): Promise<void> {
    await writeFile(`${file}.tmp`, text);
    await rename(`${file}.tmp`, file);
  }
}

function object(kind: string, name: string, spec: unknown): object {
  return { apiVersion: "networking.istio.io/v1", kind, metadata: { name }, spec };
}

describeRegistry({
  name: "static",
  world: () => FolderWorld.create(),
  create: (world, deps) => new StaticRegistry(parseStaticConfig({ paths: world.path, cluster: "test" }), deps),
  supports: {
    deltas: true,
    workloads: true,
    objects: true,
    truncation: true,
    secrets: false,
    emptyServices: true,
    backoff: false,
    problems: ["UNREACHABLE"],
    malformed: ["object", "port", "weight", "address"],
    labelKeys: ["__proto__", "constructor", "toString"],
  },
});
