import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { main } from "../cli.ts";
import { capturedContext } from "../testing/captured-context.ts";
import { validateCommand } from "./validate.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "validate-test-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function file(name: string, text: string): void {
  mkdirSync(join(dir, name, ".."), { recursive: true });
  writeFileSync(join(dir, name), text);
}

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const context = capturedContext();
  const code = await main(["validate", ...args], context);
  return { code, out: context.out().replaceAll(`${dir}/`, ""), err: context.err().replaceAll(`${dir}/`, "") };
}

async function results(...args: string[]): Promise<{ code: number; results: readonly unknown[] }> {
  const { code, out } = await run("-o", "json", ...args);
  return { code, results: (JSON.parse(out) as { results: readonly unknown[] }).results };
}

const head = (name: string, kind = "VirtualService") =>
  `apiVersion: networking.istio.io/v1\nkind: ${kind}\nmetadata: { name: ${name} }\n`;
const valid = `${head("good")}spec:
  hosts: [web]
  http: [{ route: [{ destination: { host: web } }] }]
`;
const wrong = `${head("bad")}spec:
  hosts: [web, web]
  http:
    - route: [{ destination: { host: web } }]
    - timeout: 0s
      route: [{ destination: { host: web } }]
`;

describe("signalbox validate", () => {
  it("answers for each document with its place in JSON, and fails where one is invalid", async () => {
    file("a.yaml", `${valid}---\n# nothing\n---\n${wrong}---\nkind: [\n---\napiVersion: v1\nkind: Service\n`);
    expect(await results(dir)).toEqual({
      code: 1,
      results: [
        {
          file: "a.yaml",
          document: 0,
          kind: "VirtualService",
          namespace: "default",
          name: "good",
          valid: true,
          errors: [],
          warnings: [],
        },
        {
          file: "a.yaml",
          document: 1,
          kind: "VirtualService",
          namespace: "default",
          name: "bad",
          valid: false,
          errors: ['14:16 spec.hosts[1]: "web" is named twice', "17:16 spec.http[1].timeout: must be at least 1ms"],
          warnings: ["17:7 spec.http[1]: is never used: rule 0 has no match and takes everything"],
        },
        {
          file: "a.yaml",
          document: 2,
          kind: "",
          namespace: "",
          name: "",
          valid: false,
          errors: [expect.stringMatching(/^2\d:\d+ /)],
          warnings: [],
        },
        {
          file: "a.yaml",
          document: 3,
          kind: "Service",
          namespace: "default",
          name: "",
          valid: true,
          errors: [],
          warnings: [expect.stringContaining("Service of v1 is not an Istio object, so it is not checked")],
        },
      ],
    });
  });

  it("prints errors before warnings as compilers do, and a summary", async () => {
    file("a.yaml", wrong);
    file("b.yaml", valid.replace("host: web", "hosst: web"));
    expect(await run(dir)).toMatchObject({
      code: 1,
      out: `a.yaml:5:16: error: spec.hosts[1]: "web" is named twice
a.yaml:8:16: error: spec.http[1].timeout: must be at least 1ms
b.yaml:6:22: error: spec.http[0].route[0].destination.host: a host name must not be empty
b.yaml:6:37: error: spec.http[0].route[0].destination.hosst: unknown field "hosst", did you mean "host"?
a.yaml:8:7: warning: spec.http[1]: is never used: rule 0 has no match and takes everything
2 documents: 0 valid, 2 invalid, 1 warning
`,
    });
  });

  it("succeeds where all is valid, also without documents", async () => {
    file("a.yaml", valid);
    expect(await run(dir)).toMatchObject({ code: 0, out: "1 document: 1 valid, 0 invalid, 0 warnings\n" });
    file("a.yaml", "");
    expect(await run(dir)).toMatchObject({ code: 0, out: "0 documents: 0 valid, 0 invalid, 0 warnings\n" });
  });

  it("reads all YAML and JSON files below a folder by name, follows links to files, and takes a named file of any name", async () => {
    file("z/a.json", JSON.stringify({ services: [] }));
    file("b.yml", valid);
    file("a/c.YAML", valid);
    file("a/notes.txt", wrong);
    file(".hidden/d.yaml", wrong);
    symlinkSync(join(dir, "b.yml"), join(dir, "link.yaml"));
    symlinkSync(dir, join(dir, "z", "loop"));
    const read = async (...paths: string[]) =>
      (await results(...paths)).results.map((result) => (result as { file: string }).file);
    expect(await read(dir)).toEqual(["a/c.YAML", "b.yml", "link.yaml", "z/a.json"]);
    expect(await read(join(dir, "a/notes.txt"), join(dir, "b.yml"))).toEqual(["a/notes.txt", "b.yml"]);
  });

  it("reads standard input, with the members of a List in one document", async () => {
    const list = { apiVersion: "v1", kind: "List", items: [{ apiVersion: "networking.istio.io/v1", kind: "Sidecar" }] };
    const context = capturedContext();
    const input = (async function* () {
      yield* [valid, Buffer.from(`---\n${JSON.stringify(list)}`)];
      await Promise.resolve();
    })();
    expect(await validateCommand(["-"], { output: "text" }, context, input)).toBe(1);
    expect(context.out()).toBe(`-:8:43: error: items[0].metadata: is required
2 documents: 1 valid, 1 invalid, 0 warnings
`);
  });

  it("says what it does not check: kinds that it does not know, and other documents", async () => {
    file("a.yaml", `${head("a", "Nothing")}---\nservices: []\n`);
    expect(await run(dir)).toMatchObject({
      code: 0,
      out: `a.yaml:1:1: warning: the spec of a Nothing is not known here, so it is not checked
a.yaml:5:1: warning: holds services and no Istio object; \`signalbox catalog --rules\` reads it
2 documents: 2 valid, 0 invalid, 2 warnings
`,
    });
  });

  it.each([
    [
      "kind: VirtualServcie",
      "1:1: warning: the spec of a VirtualServcie is not known here, so it is not checked; did you mean VirtualService?",
    ],
    [
      "apiVersion: networking.istio.io/v2\nkind: Sidecar",
      "1:13: error: apiVersion: there is no Sidecar of networking.istio.io/v2; write networking.istio.io/v1",
    ],
    [
      "apiVersion: security.istio.io/v1\nkind: Sidecar",
      "1:13: error: apiVersion: there is no Sidecar of security.istio.io/v1; write networking.istio.io/v1",
    ],
    [
      "apiVersion: networking.istio.io\nkind: EnvoyFilter",
      "1:13: error: apiVersion: there is no EnvoyFilter of networking.istio.io; write networking.istio.io/v1alpha3",
    ],
    [
      "apiVersion: gateway.networking.k8s.io/v1\nkind: Gateway",
      "1:1: warning: Gateway of gateway.networking.k8s.io/v1 is not an Istio object, so it is not checked",
    ],
    ["just a text", "1:1: warning: is not an object with apiVersion and kind, so it is not checked"],
  ])("says of %j what it is, and what was probably meant", async (text, remark) => {
    const whole = text.startsWith("kind") ? `apiVersion: networking.istio.io/v1\n${text}` : text;
    file("a.yaml", whole.includes("kind") ? `${whole}\nmetadata: { name: a }\n` : whole);
    expect((await run(dir)).out.split("\n")[0]).toBe(`a.yaml:${remark}`);
  });

  it("asks for the apiVersion that is missing", async () => {
    file("a.yaml", "kind: Sidecar\nmetadata: { name: a }\n");
    expect((await run(dir)).out).toBe(`a.yaml:1:1: error: apiVersion is missing; write networking.istio.io/v1
1 document: 0 valid, 1 invalid, 0 warnings
`);
  });

  it("says once what is wrong with a field of the wrong type", async () => {
    file(
      "a.yaml",
      `${head("a")}spec:\n  hosts: [a.example]\n  http: [{ timeout: 5, route: [{ destination: { host: a } }] }]\n`,
    );
    expect((await run(dir)).out)
      .toBe(`a.yaml:6:21: error: spec.http[0].timeout: must be a duration such as 10s or 250ms, not the number 5
1 document: 0 valid, 1 invalid, 0 warnings
`);
  });

  it("answers for a file that is not text, and refuses a path that is not there", async () => {
    writeFileSync(join(dir, "a.yaml"), Buffer.from([0xff, 0xfe, 0x00]));
    expect(await run(dir)).toMatchObject({
      code: 1,
      out: expect.stringContaining("a.yaml:1:1: error: the file is not UTF-8") as string,
    });
    expect(await run(join(dir, "none.yaml"))).toMatchObject({
      code: 2,
      err: expect.stringContaining("none.yaml cannot be read") as string,
    });
    expect((await run()).code).toBe(2);
  });
});
