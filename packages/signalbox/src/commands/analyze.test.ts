import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findingLevels } from "@signalbox/traffic";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { main } from "../cli.ts";
import { capturedContext } from "../testing/captured-context.ts";
import { analyzeCommand } from "./analyze.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "analyze-test-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const context = capturedContext();
  const code = await main(["analyze", ...args], context);
  return { code, out: context.out().replaceAll(`${dir}/`, ""), err: context.err().replaceAll(`${dir}/`, "") };
}

/** Writes files and analyzes their folder. */
async function analyzed(files: Readonly<Record<string, string>>, ...flags: string[]) {
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
  return run(...flags, dir);
}

const kube = `
apiVersion: v1
kind: Service
metadata: { name: web, namespace: shop }
spec: { selector: { app: web }, ports: [{ name: http, port: 80 }] }
---
apiVersion: v1
kind: Pod
metadata: { name: web-1, namespace: shop, labels: { app: web, version: v1 } }
spec: { containers: [{ name: web, ports: [{ containerPort: 80 }] }] }
status: { podIP: 10.0.0.1, phase: Running, conditions: [{ type: Ready, status: "True" }] }
`;
const istio = (kind: string, spec: string, name = "web") =>
  `apiVersion: networking.istio.io/v1\nkind: ${kind}\nmetadata: { name: ${name}, namespace: shop }\nspec:\n${spec}`;
const route = (destination: string) =>
  istio("VirtualService", `  hosts: [web]\n  http:\n    - route:\n        - destination: ${destination}\n`);
const subsets = (version: string) =>
  istio("DestinationRule", `  host: web\n  subsets:\n    - { name: a, labels: { version: ${version} } }\n`);

describe("signalbox analyze", () => {
  it("finds services, pods and rules of all files together, and nothing to say", async () => {
    const files = { "kube.yaml": kube, "route.yaml": route("{ host: web, subset: a }"), "subsets.yaml": subsets("v1") };
    expect(await analyzed(files)).toEqual({ code: 0, out: "2 objects: 0 errors, 0 warnings, 0 info\n", err: "" });
  });

  it("names code, object, place and reason, errors first", async () => {
    const files = {
      "a.yaml": istio("DestinationRule", "  host: gone\n", "old"),
      "b.yaml": `${kube}---\n${route("{ host: none }")}`,
    };
    const { code, out } = await analyzed(files);
    expect(code).toBe(1);
    expect(out.split("\n")).toEqual([
      expect.stringMatching(
        /^b\.yaml:20:32: error: IST0101: VirtualService\/shop\/web spec\.http\[0\]\.route\[0\]\.destination\.host: .*none/,
      ),
      expect.stringMatching(/^a\.yaml:5:9: warning: IST0174: DestinationRule\/shop\/old spec\.host: /),
      "2 objects: 1 error, 1 warning, 0 info",
      "",
    ]);
  });

  it("says the same as JSON", async () => {
    const { code, out } = await analyzed({ "all.yaml": `${kube}---\n${subsets("v2")}` }, "-o", "json");
    expect(code).toBe(1);
    expect(JSON.parse(out)).toEqual({
      findings: [
        {
          code: "IST0173",
          level: "error",
          object: "DestinationRule/shop/web",
          file: "all.yaml",
          line: 19,
          column: expect.any(Number) as number,
          field: expect.stringContaining("spec.subsets[0]") as string,
          message: expect.any(String) as string,
        },
      ],
    });
  });

  it.each([
    ["error", 0],
    ["warning", 1],
    ["info", 1],
  ])("fails on a warning where the least level is %s: %d", async (level, code) => {
    const files = { "a.yaml": istio("DestinationRule", "  host: gone\n") };
    expect(await analyzed(files, "--fail-on", level)).toMatchObject({ code });
  });

  it("counts what Istio refuses and what cannot be read as errors, with the place", async () => {
    const files = {
      "a.yaml": istio("VirtualService", "  hosts: [web]\n", "empty"),
      "b.yaml": istio("VirtualService", "  hosts: 7\n", "broken"),
      "c.yaml": "kind: [",
      "d.yaml": "",
    };
    const { code, out } = await analyzed(files);
    expect(code).toBe(1);
    expect(out).toMatch(/^a\.yaml:5:3: error: IST0106: VirtualService\/shop\/empty spec: needs at least one rule/m);
    expect(out).toMatch(/^b\.yaml:5:10: error: IST0106: VirtualService\/shop\/broken: spec\.hosts: /m);
    expect(out).toMatch(/^c\.yaml:1:\d+: error: IST0106: /m);
    expect(out).toMatch(/^2 objects: 3 errors/m);
  });

  it("says at an object that is there twice where the first one is", async () => {
    const files = { "a.yaml": subsets("v1"), "b.yaml": `${kube}---\n${subsets("v1")}` };
    expect((await analyzed(files)).out).toMatch(
      /^b\.yaml:13:1: error: IST0106: DestinationRule\/shop\/web is also at a\.yaml:1:1, which counts$/m,
    );
  });

  it("knows services of the short form, and does not miss the workloads that nobody told of", async () => {
    const short = "services:\n  - { name: web, namespace: shop, ports: [80/http], endpoints: [10.0.0.1] }\n";
    const gateway = istio(
      "Gateway",
      "  selector: { app: edge }\n  servers:\n    - { port: { number: 80, name: http, protocol: HTTP }, hosts: [a.example] }\n",
    );
    const rules = { "rule.yaml": `${route("{ host: web }")}---\n${gateway}` };
    expect((await analyzed(rules)).out).toMatch(/host web is not a service.*\n.*no workload has the labels app=edge$/m);
    expect(await analyzed({ ...rules, "services.yaml": short })).toEqual({
      ...{ code: 0, out: "2 objects: 0 errors, 0 warnings, 0 info\n", err: "" },
    });
    const wrong = short.replace("80/http", "none/http");
    expect((await analyzed({ ...rules, "services.yaml": wrong })).out).toMatch(
      /^services\.yaml:2:\d+: error: IST0106: services\[0\]\.ports\[0\]: /m,
    );
  });

  it("reads the registries and rules of a configuration beside the paths", async () => {
    const short =
      "services:\n  - { name: web, namespace: shop, ports: [80/http], endpoints: [{ address: 10.0.0.1, labels: { version: v2 } }] }\n";
    const config = "registries: [{ provider: static, name: files, paths: [s.txt] }]\nrules: [{ files: r.txt }]\n";
    const files = {
      "s.txt": short,
      "r.txt": subsets("v2"),
      "c.txt": config,
      "rule.yaml": route("{ host: web, subset: b }"),
    };
    const { code, out } = await analyzed(files, "--config", join(dir, "c.txt"));
    expect({ code, out }).toEqual({
      code: 1,
      out: `rule.yaml:8:45: error: IST0101: VirtualService/shop/web spec.http[0].route[0].destination.subset: no DestinationRule for web has the subset b
2 objects: 1 error, 0 warnings, 0 info
`,
    });
    writeFileSync(join(dir, "r.txt"), "a: [");
    expect(await run("--config", join(dir, "c.txt"))).toMatchObject({
      ...{ code: 1, out: "0 objects: 0 errors, 0 warnings, 0 info\n" },
      err: expect.stringContaining("r.txt:1:5: not YAML") as string,
    });
  });

  it("wants paths or a configuration", async () => {
    expect(await run()).toMatchObject({ code: 2, err: expect.stringContaining("--config") as string });
  });

  it("reads standard input, and lists within it", async () => {
    const item = JSON.parse(
      '{"apiVersion":"networking.istio.io/v1","kind":"DestinationRule","metadata":{"name":"d"},"spec":{"host":"gone"}}',
    ) as object;
    const list = JSON.stringify({ apiVersion: "v1", kind: "List", items: [item] });
    const context = capturedContext();
    async function* stdin() {
      yield await Promise.resolve(list);
    }
    expect(await analyzeCommand(["-"], { output: "text", failOn: "error" }, context, stdin())).toBe(0);
    expect(context.out()).toMatch(/^-:1:\d\d+: warning: IST0174: DestinationRule\/default\/d spec\.host: /);
  });

  it("ends with 2 where a path is not there", async () => {
    const { code, err } = await run(join(dir, "nope"));
    expect(code).toBe(2);
    expect(err).toContain("nope cannot be read: ENOENT");
  });
});

describe("docs/guide/cli.md", () => {
  it("has every code of an analysis with its level", () => {
    const text = readFileSync(join(import.meta.dirname, "../../../../docs/guide/cli.md"), "utf8");
    const documented = [...text.matchAll(/^\| `(IST\d{4})` \| (\w+)/gm)].map(([, code, level]) => [code, level]);
    expect(documented).toEqual(Object.entries({ ...findingLevels, IST0106: "error" }).sort());
  });
});
