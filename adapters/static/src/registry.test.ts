import { mkdir, mkdtemp, realpath, rename, rm, unlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock, type Clock, type Logger, type Metrics } from "@signalbox/registry";
import { RecordingSink } from "@signalbox/registry/conformance";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readShortServices, readStatic, staticModule, StaticFilesError } from "./index.ts";

let root: string;
let stop: () => Promise<void>;
let counted: string[];
let logged: { event: string; fields: object | undefined }[];

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "signalbox-static-")));
  logged = [];
  counted = [];
  stop = () => Promise.resolve();
});

afterEach(async () => {
  await stop();
  await rm(root, { recursive: true, force: true });
});

const warn = (event: string, fields?: object) => void logged.push({ event, fields });
const logger: Logger = { debug() {}, info() {}, warn, error: warn };
const metrics: Metrics = { counter: (name) => void counted.push(name), histogram() {} };

function start(paths: string | string[] = ".", clock: Clock = systemClock): RecordingSink {
  const sink = new RecordingSink();
  const controller = new AbortController();
  const deps = { name: "files", logger, clock, metrics, baseDir: root };
  const run = staticModule.create(staticModule.parseConfig({ paths }), deps).run(sink, controller.signal);
  stop = async () => {
    controller.abort();
    await run;
  };
  return sink;
}

async function put(name: string, text: string): Promise<void> {
  await writeFile(join(root, `${name}.tmp`), text);
  await rename(join(root, `${name}.tmp`), join(root, name));
}

const web = (...addresses: string[]) =>
  `services:\n  - name: web\n    ports: [80/http]\n    endpoints: ${JSON.stringify(addresses)}\n`;
const other = "services:\n  - { name: other, ports: [80] }\n";

function addresses(sink: RecordingSink): string[] {
  const records = [...sink.records.values()];
  return records.flatMap(({ service, instances }) => [
    service.hostname.split(".")[0] ?? "",
    ...instances.map(({ id }) => id),
  ]);
}

function lastError(sink: RecordingSink): StaticFilesError {
  const error = sink.degradations.at(-1)?.error;
  if (!(error instanceof StaticFilesError)) throw new Error(`not degraded by files: ${sink.summary()}`);
  return error;
}

const route = (name: string, hosts: string) =>
  `---\napiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: ${name} }\nspec: { hosts: ${hosts}, http: [{ directResponse: { status: 200 } }] }\n`;

describe("objects that cannot be used", () => {
  const hosts = (sink: RecordingSink) =>
    [...sink.objects.values()].map(({ name, spec }) => [name, (spec as { hosts: unknown }).hosts]).sort();

  it("are shown until there is a good form, which stays when they are wrong again", async () => {
    await put("a.yaml", `${web("10.0.0.1")}${route("bad", "[a b]")}${route("good", "[a.test]")}`);
    const sink = start();
    await sink.waitFor(({ objects }) => objects.size === 2, 4000);
    expect(hosts(sink)).toEqual([
      ["bad", ["a b"]],
      ["good", ["a.test"]],
    ]);
    await put("a.yaml", `${web("10.0.0.1")}${route("bad", "[b.test]")}${route("good", "[a.test]")}`);
    await sink.waitFor(() => hosts(sink).flat(2).includes("b.test"), 4000);
    await put("a.yaml", `${web("10.0.0.2")}${route("bad", "[a b]")}${route("new", "[a b]")}`);
    await sink.waitFor(({ objects }) => objects.size === 3, 4000);
    expect(hosts(sink)).toEqual([
      ["bad", ["b.test"]],
      ["good", ["a.test"]],
      ["new", ["a b"]],
    ]);
    expect(addresses(sink)).toEqual(["web", "http-80/10.0.0.1:80"]);
  });
});

describe("a static registry", () => {
  it("keeps the last good content of a file that breaks, names the place, and lets other files go on", async () => {
    await put("a.yaml", web("10.0.0.1"));
    const sink = start();
    await sink.waitFor(({ records }) => records.size === 1, 4000);
    await put("a.yaml", `${web("10.0.0.2")}    colour: red\n`);
    await sink.waitFor(({ degradations }) => degradations.length > 0, 4000);
    const message = "a.yaml:5:5: services[0].colour: unknown key; known here:";
    expect(sink.degradations[0]?.problem).toBe("PROTOCOL_ERROR");
    expect(lastError(sink).message).toContain(message);
    expect(logged.find(({ event }) => event === "static-file-fault")?.fields).toMatchObject({
      file: "a.yaml",
      document: 0,
      line: 5,
      column: 5,
      field: "services[0].colour",
    });
    await put("b.yaml", other);
    await sink.waitFor(({ records }) => records.size === 2, 4000);
    expect(addresses(sink)).toEqual(["web", "http-80/10.0.0.1:80", "other"]);
    await put("a.yaml", "services: [");
    await sink.waitFor(() => lastError(sink).message.startsWith("a.yaml:1:12"), 4000);
    expect(addresses(sink)).toEqual(["web", "http-80/10.0.0.1:80", "other"]);
    await put("a.yaml", web("10.0.0.3"));
    await sink.waitFor(() => addresses(sink).includes("http-80/10.0.0.3:80"), 4000);
  });

  it("keeps the last good form of a rule that breaks, and names the place", async () => {
    const rule = (weight: number) =>
      [
        "apiVersion: networking.istio.io/v1",
        "kind: VirtualService",
        "metadata: { name: web, namespace: shop }",
        "spec:",
        "  hosts: [web]",
        `  http: [{ route: [{ destination: { host: web }, weight: ${String(weight)} }] }]`,
      ].join("\n");
    await put("a.yaml", rule(1));
    const sink = start();
    await sink.waitFor(({ updates }) => updates.length === 1, 4000);
    await put("a.yaml", rule(-1));
    await sink.waitFor(({ degradations }) => degradations.length > 0, 4000);
    expect(lastError(sink).message).toMatch(
      /^a\.yaml:6:\d+: spec\.http\[0\]\.route\[0\]\.weight: must not be negative/,
    );
    expect(sink.updates).toHaveLength(1);
  });

  it.each([
    ["empty", ""],
    ["comments only", "# nothing here yet\n"],
  ])("keeps what a file said that is %s now, and believes an empty list", async (_name, text) => {
    await put("a.yaml", web("10.0.0.1"));
    await put("b.yaml", other);
    const sink = start();
    await sink.waitFor(({ records }) => records.size === 2, 4000);
    await put("a.yaml", text);
    await sink.waitFor(({ degradations }) => degradations.length > 0, 4000);
    expect(lastError(sink).message).toContain("a.yaml:1:1: the file is empty now");
    expect(addresses(sink)).toEqual(["web", "http-80/10.0.0.1:80", "other"]);
    await put("a.yaml", "services: []\n");
    await sink.waitFor(({ records }) => records.size === 1, 4000);
    expect(addresses(sink)).toEqual(["other"]);
  });

  it("does not flood the log with the faults of one file", async () => {
    const services = Array.from({ length: 100 }, (_, index) => ({ name: `s${index}`, ports: [80], colour: "red" }));
    await put("a.yaml", JSON.stringify({ services }));
    const sink = start();
    await sink.waitFor(({ degradations }) => degradations.length > 0, 4000);
    expect(logged.filter(({ event }) => event === "static-file-fault")).toHaveLength(20);
    expect(logged.find(({ event }) => event === "static-file-faults-omitted")?.fields).toEqual({
      file: "a.yaml",
      more: 80,
    });
  });

  it("says that it is well again when a broken file holds what it held before", async () => {
    await put("a.yaml", web("10.0.0.1"));
    const sink = start();
    await sink.waitFor(({ records }) => records.size === 1, 4000);
    await put("a.yaml", "services: {}");
    await sink.waitFor(({ degradations }) => degradations.length > 0, 4000);
    await put("a.yaml", web("10.0.0.1"));
    await sink.waitFor(({ aliveCount }) => aliveCount > 0, 4000);
    expect(sink.updates).toHaveLength(1);
    expect(counted.filter((name) => name === "static_files_rejected_total")).toHaveLength(1);
    expect(counted.filter((name) => name === "static_files_read_total").length).toBeGreaterThanOrEqual(3);
  });

  it("serves the good services of a file that has a bad one from the start", async () => {
    await put("a.yaml", `${other}  - { name: bad, ports: [0] }\n`);
    const sink = start();
    await sink.waitFor(({ degradations }) => degradations.length > 0, 4000);
    expect(addresses(sink)).toEqual(["other"]);
    expect(lastError(sink).faults.map(({ field }) => field)).toEqual(["services[1].ports[0].number"]);
  });

  it("pushes nothing from a file that never could be read", async () => {
    await put("a.yaml", "services: [");
    const sink = start("a.yaml");
    await sink.waitFor(({ degradations }) => degradations.length > 0, 4000);
    expect(sink.updates).toEqual([]);
    await put("a.yaml", other);
    await sink.waitFor(({ records }) => records.size === 1, 4000);
    expect(sink.updates.map(({ type }) => type)).toEqual(["snapshot"]);
  });

  it("pushes nothing before a missing file comes", async () => {
    const sink = start("a.yaml");
    await sink.waitFor(({ degradations }) => degradations.length > 0, 4000);
    expect(sink.degradations[0]?.problem).toBe("UNREACHABLE");
    expect(sink.updates).toEqual([]);
    await put("a.yaml", other);
    await sink.waitFor(({ records }) => records.size === 1, 4000);
  });

  it("removes what a deleted file said, and keeps what a missing folder said", async () => {
    await mkdir(join(root, "sub"));
    await put("sub/a.yaml", web("10.0.0.1"));
    await put("b.yaml", other);
    const sink = start(["sub", "*.yaml"]);
    await sink.waitFor(({ records }) => records.size === 2, 4000);
    await unlink(join(root, "b.yaml"));
    await sink.waitFor(({ records }) => records.size === 1, 4000);
    expect(sink.degradations).toEqual([]);
    await rm(join(root, "sub"), { recursive: true });
    await sink.waitFor(({ degradations }) => degradations.length > 0, 4000);
    expect(addresses(sink)).toEqual(["web", "http-80/10.0.0.1:80"]);
  });

  it("keeps what a file said that is named by itself and missing", async () => {
    await put("a.yaml", web("10.0.0.1"));
    const sink = start(["a.yaml"]);
    await sink.waitFor(({ records }) => records.size === 1, 4000);
    await unlink(join(root, "a.yaml"));
    await sink.waitFor(({ degradations }) => degradations.length > 0, 4000);
    expect(sink.degradations[0]?.problem).toBe("UNREACHABLE");
    expect(addresses(sink)).toEqual(["web", "http-80/10.0.0.1:80"]);
    await put("a.yaml", web("10.0.0.2"));
    await sink.waitFor(() => addresses(sink).includes("http-80/10.0.0.2:80"), 4000);
  });

  it("joins endpoints of one service from two files, and tells a conflict with both places", async () => {
    await put("a.yaml", web("10.0.0.1"));
    await put("b.yaml", web("10.0.0.2"));
    const sink = start();
    await sink.waitFor(({ records }) => records.size === 1, 4000);
    expect(addresses(sink)).toEqual(["web", "http-80/10.0.0.1:80", "http-80/10.0.0.2:80"]);
    await put("b.yaml", web("10.0.0.3").replace("80/http", "81/http"));
    await sink.waitFor(({ degradations }) => degradations.length > 0, 4000);
    expect(lastError(sink).message).toMatch(/^b\.yaml:2:5: service .* is defined differently at a\.yaml:2:5/);
    expect(addresses(sink)).toEqual(["web", "http-80/10.0.0.1:80"]);
  });

  it("tells only the records that changed", async () => {
    const many = (address: string) =>
      `${web(address)}${other.replace("services:\n", "")}  - { name: third, ports: [80] }\n`;
    await put("a.yaml", many("10.0.0.1"));
    const sink = start();
    await sink.waitFor(({ records }) => records.size === 3, 4000);
    await put("a.yaml", many("10.0.0.2"));
    await sink.waitFor(({ updates }) => updates.length === 2, 4000);
    expect(sink.updates[1]).toMatchObject({
      type: "delta",
      records: { upserted: [{ service: { hostname: "web.default.svc.cluster.local" } }], removed: [] },
      objects: { upserted: [], removed: [] },
    });
  });
});

describe("many services", () => {
  // Enough that a file is read service by service.
  const count = 1500;
  const text = `services:\n${Array.from({ length: count }, (_, index) => `- { name: s${index}, ports: [80] }\n`).join("")}`;

  /** Each look at it is a millisecond later than the one before; `at` is told how many there were. */
  const ticking = (at: (looks: number) => void = () => undefined) => {
    const clock = { ...systemClock, looks: 0 };
    clock.now = () => {
      at(++clock.looks);
      return clock.looks;
    };
    return clock;
  };

  it("are read and put together in many turns of the event loop, and said at once", async () => {
    await put("a.yaml", text);
    await put("b.yaml", text.replaceAll("name: s", "name: t"));
    let turns = 0;
    const clock = ticking((looks) => {
      if (looks === 1) setImmediate(turn);
    });
    const sink = start(".", clock);
    const turn = () => {
      turns++;
      if (sink.updates.length === 0) setImmediate(turn);
    };
    await sink.waitFor(({ updates }) => updates.length > 0, 4000);
    expect(sink.updates.map(({ type }) => type)).toEqual(["snapshot"]);
    expect(sink.records.size).toBe(2 * count);
    // Five looks in each: one at each service that is read, and one at each that is put together.
    expect(turns).toBeGreaterThan((2 * 2 * count) / 5);
  });

  it("are not said where the run ends before all are put together", async () => {
    await put("a.yaml", text);
    const all = ticking();
    const whole = start(".", all);
    await whole.waitFor(({ updates }) => updates.length > 0, 4000);
    const { looks } = all;
    await stop();
    for (const last of [10, Math.floor(looks / 2), looks - 3]) {
      const sink = await new Promise<RecordingSink>((resolve) => {
        const told = start(
          ".",
          ticking((now) => {
            if (now === last) resolve(stop().then(() => told));
          }),
        );
      });
      expect(sink.updates).toEqual([]);
    }
  });
});

describe("readStatic", () => {
  it("reads everything once, with every fault at its place", async () => {
    await put("a.yaml", web("10.0.0.1"));
    await put("b.yaml", "services: [{name: b, ports: [80]}, {name: c}]");
    const content = await readStatic([".", "absent.yaml"], { baseDir: root });
    expect(content.records.map(({ service }) => service.hostname.split(".")[0])).toEqual(["web", "b"]);
    expect(content.faults.map(({ file, line, column, field }) => `${file}:${line}:${column} ${field}`)).toEqual([
      "absent.yaml:1:1 ",
      "b.yaml:1:36 services[1].ports",
    ]);
  });
});

describe("readShortServices", () => {
  it("reads services of the short form, and passes over all other documents", () => {
    const web = "services:\n  - { name: web, namespace: shop, ports: [80/http], endpoints: [10.0.0.1] }\n";
    const texts = new Map([
      [
        "a.yaml",
        `${web}---\nkind: Service\napiVersion: v1\n---\nservices: [{ match: "*" }]\nregistries: []\n---\na: [`,
      ],
      ["b.yaml", "services:\n  - { name: api, ports: [x] }\n"],
    ]);
    const { faults, records } = readShortServices(texts);
    expect(records.map(({ service }) => service.hostname)).toEqual(["web.shop.svc.cluster.local"]);
    expect(faults).toEqual([expect.objectContaining({ file: "b.yaml", line: 2, field: "services[0].ports[0]" })]);
  });
});
