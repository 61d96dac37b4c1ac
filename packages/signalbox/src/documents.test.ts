import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { createProgram, main } from "./cli.ts";
import { configJsonSchema } from "./config/json-schema.ts";
import { loadConfig } from "./config/load.ts";
import { createFromPlan } from "./signalbox.ts";
import { capturedContext } from "./testing/captured-context.ts";

const root = join(import.meta.dirname, "..", "..", "..");
const guide = join(root, "docs", "guide");
const quickstart = join(root, "examples", "quickstart");

interface Node {
  readonly properties?: Readonly<Record<string, Node>>;
  readonly items?: Node;
  readonly anyOf?: readonly Node[];
  readonly oneOf?: readonly Node[];
  readonly default?: unknown;
  readonly description?: string;
}

/** Every key of a JSON Schema with its node, as `xds.plaintext.port` and `rules[].files`. */
function keys(node: Node, path = ""): [string, Node][] {
  const own = Object.entries(node.properties ?? {}).flatMap(([key, child]): [string, Node][] => {
    const name = path === "" ? key : `${path}.${key}`;
    return [[name, child], ...keys(child, name)];
  });
  const items = node.items === undefined ? [] : keys(node.items, `${path}[]`);
  const branches = [...(node.anyOf ?? []), ...(node.oneOf ?? [])];
  return [...own, ...items, ...branches.flatMap((branch) => keys(branch, path))];
}

describe("docs/guide/configuration.md", () => {
  const text = readFileSync(join(guide, "configuration.md"), "utf8");
  const documented = new Map(
    [...text.matchAll(/^\| `([^`]+)` +\| ([^|]+) \|/gm)].map(([, key = "", value = ""]) => [
      key,
      value.trim().replaceAll("`", ""),
    ]),
  );
  // A file reference inside a path's place is explained once, under "Secrets".
  const schema = keys(configJsonSchema() as Node).filter(
    ([key]) =>
      !/^(xds\.tls\.(cert|key|ca)|admission\.tls\.(cert|key)|bus\.(tls\.(cert|key|ca)|token|password|credentials)|api\.token)\.file$/.test(
        key,
      ),
  );

  it("names every key of the schema, and no other", () => {
    expect([...documented.keys()].sort()).toEqual([...new Set(schema.map(([key]) => key))].sort());
  });

  it("gives every key the default that the schema has", () => {
    const differing = schema
      .filter(([, node]) => node.default !== undefined && typeof node.default !== "object")
      .filter(([key, node]) => documented.get(key) !== String(node.default))
      .map(([key, node]) => `${key}: ${String(node.default)}, documented as ${String(documented.get(key))}`);
    expect(differing).toEqual([]);
  });

  it("agrees with the schema that every key has a description", () => {
    expect(
      schema.filter(([, node]) => node.description === undefined && node.anyOf === undefined).map(([key]) => key),
    ).toEqual([]);
  });
});

describe("docs/guide/cli.md", () => {
  const text = readFileSync(join(guide, "cli.md"), "utf8");
  const { commands } = createProgram(capturedContext(), () => {});

  it.each(commands.map((command) => [command.name(), command] as const))(
    "explains %s and all its flags",
    (name, command) => {
      const start = text.indexOf(`## signalbox ${name}\n`);
      expect(start).toBeGreaterThan(-1);
      const next = text.indexOf("\n## ", start);
      const section = text.slice(start, next < 0 ? undefined : next);
      // `agent` shares its first flags with `bootstrap`, which explains them.
      const shared =
        name === "agent"
          ? new Set(commands.find((other) => other.name() === "bootstrap")?.options.map(({ long }) => long))
          : new Set();
      const missing = command.options.filter(({ long }) => !shared.has(long) && !section.includes(`\`${String(long)}`));
      expect(missing.map(({ long }) => long)).toEqual([]);
    },
  );
});

describe("the guide's commands", () => {
  it.each(readdirSync(guide).filter((name) => name.endsWith(".md")))("exist, with their flags: %s", (name) => {
    const text = readFileSync(join(guide, name), "utf8");
    const { commands } = createProgram(capturedContext(), () => {});
    const unknown: string[] = [];
    for (const [, command = "", rest = ""] of text.matchAll(/(?:npx )?\bsignalbox ([a-z]+)((?: [^`\n|>&#]*)?)/g)) {
      const found = commands.find((candidate) => candidate.name() === command);
      if (found === undefined) continue;
      for (const [flag] of rest.replace(/ -- .*/, "").matchAll(/(?<=\s)--[a-z-]+/g))
        if (flag !== "--help" && !found.options.some(({ long }) => long === flag)) unknown.push(`${command} ${flag}`);
    }
    expect(unknown).toEqual([]);
  });
});

describe("examples/quickstart", () => {
  it("has no mistakes, and gives the services that its file names", async () => {
    const context = capturedContext();
    expect(await main(["catalog", "--config", join(quickstart, "signalbox.yaml"), "-o", "json"], context)).toBe(0);
    const { services } = JSON.parse(context.out()) as { services: { hostname: string; instances: object[] }[] };
    expect(services.map(({ hostname, instances }) => [hostname, instances.length])).toEqual([
      ["ledger.bank.svc.cluster.local", 1],
      ["orders.shop.svc.cluster.local", 2],
      ["payments.shop.svc.cluster.local", 1],
    ]);
  });

  it("is what npm start runs, and serves", async () => {
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
      scripts: Record<string, string>;
    };
    const [, path = ""] = /run --config (\S+)/.exec(scripts["start"] ?? "") ?? [];
    const loaded = await loadConfig(join(root, path), {});
    expect(loaded.warnings).toEqual([]);
    // The ports of the example may be taken on the machine that tests.
    const config = {
      ...loaded.config,
      debug: false as const,
      xds: { ...loaded.config.xds, plaintext: { host: "127.0.0.1", port: 0 } },
    };
    const stop = new AbortController();
    const signalbox = createFromPlan({ ...loaded, config }, { baseDir: loaded.baseDir });
    const ended = signalbox.run(stop.signal);
    await signalbox.synced(stop.signal);
    expect((await signalbox.listening(stop.signal)).xds.plaintext?.port).toBeGreaterThan(0);
    expect(signalbox.services()).toHaveLength(3);
    stop.abort();
    await ended;
  });
});
