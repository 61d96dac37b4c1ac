import { Api, parallel, type Access } from "./api.ts";
import type { BareAnswer } from "./messages.ts";
import type { SourceName } from "./sources/source.ts";
import { cpuMs, now } from "./time.ts";

/** Reads one path of an API and parses the answer. */
type Read = (path: string) => Promise<unknown>;

/** The requests of the adapter's first read, with nothing done with the answers. */
const readAll: Readonly<Record<SourceName, (read: Read) => Promise<void>>> = {
  async consul(read) {
    const services = Object.keys((await read("/v1/catalog/services")) as object);
    await parallel(services, connections, async (name) => {
      await read(`/v1/health/service/${name}`);
    });
  },
  async eureka(read) {
    await read("/apps");
  },
  async kubernetes(read) {
    const alive = "&fieldSelector=status.phase!%3DFailed%2Cstatus.phase!%3DSucceeded";
    const collections = [
      ["/api/v1/services", ""],
      ["/apis/discovery.k8s.io/v1/endpointslices", ""],
      ["/api/v1/pods", alive],
      ["/api/v1/nodes", ""],
    ] as const;
    await Promise.all(
      collections.map(async ([path, selector]) => {
        for (let next: string | undefined = ""; next !== undefined;) {
          const more: string = next === "" ? "" : `&continue=${encodeURIComponent(next)}`;
          const page = (await read(`${path}?limit=500${selector}${more}`)) as {
            readonly metadata: { readonly continue?: string };
          };
          next = page.metadata.continue === "" ? undefined : page.metadata.continue;
        }
      }),
    );
  },
};

/** Connections of a bare read; more make it no faster. */
const connections = 64;

/** Reads what the adapter of a source reads at first: fetch and `JSON.parse`, no more. */
export async function bareRead(source: SourceName, access: Access): Promise<BareAnswer> {
  const api = new Api(access, connections);
  const start = { at: now(), cpu: cpuMs() };
  let answers = 0;
  let bytes = 0;
  await readAll[source](async (path) => {
    const { text } = await api.send(path);
    answers++;
    bytes += text.length;
    return JSON.parse(text) as unknown;
  });
  const done = { ms: now() - start.at, cpuMs: cpuMs() - start.cpu };
  api.close();
  return { type: "bare", ...done, answers, bytes };
}
