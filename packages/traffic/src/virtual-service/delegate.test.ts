import { FaultList, readVirtualService, type HttpRoute } from "@signalbox/istio-objects";
import { describe, expect, it } from "vitest";
import { delegatedRoutes } from "./delegate.ts";

function route(spec: object): HttpRoute {
  const faults = new FaultList();
  const [read] = readVirtualService({ http: [spec] }, [], faults).http;
  if (read === undefined || faults.faults.length > 0) throw new Error(JSON.stringify(faults.faults));
  return read;
}

const merged = (root: object, ...leaves: readonly object[]) => delegatedRoutes(route(root), leaves.map(route));

describe("a delegate's match within its root's", () => {
  const uri = (kind: string, text: string) => ({ uri: { [kind]: text } });
  const header = (kind: string, text: string) => ({ headers: { h: { [kind]: text } } });

  it.each([
    ["a longer prefix", uri("prefix", "/a"), uri("prefix", "/a/b"), true],
    ["a shorter prefix", uri("prefix", "/a/b"), uri("prefix", "/a"), false],
    ["an exact text below a prefix", uri("prefix", "/a"), uri("exact", "/a/b"), true],
    ["an exact text beside a prefix", uri("prefix", "/a"), uri("exact", "/b"), false],
    ["the same exact text", uri("exact", "/a"), uri("exact", "/a"), true],
    ["another exact text", uri("exact", "/a"), uri("exact", "/ab"), false],
    ["a prefix below an exact text", uri("exact", "/a"), uri("prefix", "/a"), false],
    ["a regular expression below a prefix", uri("prefix", "/"), uri("regex", "/.*"), false],
    ["anything below a regular expression", uri("regex", ".*"), uri("exact", "/a"), false],
    ["nothing below a regular expression", uri("regex", ".*"), {}, true],
    ["anything below nothing", {}, uri("regex", ".*"), true],
    ["an empty prefix below a prefix", uri("prefix", "/a"), uri("prefix", ""), false],
    ["the same header", header("exact", "1"), header("exact", "1"), true],
    ["another value of a header", header("exact", "1"), header("exact", "2"), false],
    ["another header", header("exact", "1"), { headers: { g: { exact: "2" } } }, true],
    ["a header named as an object's own member", {}, { headers: { constructor: { exact: "2" } } }, true],
    [
      "another query parameter's value",
      { queryParams: { q: { exact: "1" } } },
      { queryParams: { q: { exact: "2" } } },
      false,
    ],
    [
      "another text for a missing header",
      { withoutHeaders: { q: { exact: "1" } } },
      { withoutHeaders: { q: { exact: "2" } } },
      false,
    ],
    ["another scheme", { scheme: { exact: "http" } }, { scheme: { exact: "https" } }, false],
    ["another method", { method: { exact: "GET" } }, { method: { exact: "PUT" } }, false],
    ["another authority", { authority: { exact: "a" } }, { authority: { prefix: "a" } }, false],
    ["other care for case", { ignoreUriCase: true }, {}, false],
    ["another port", { port: 80 }, { port: 81 }, false],
    ["a port where the root has none", {}, { port: 81 }, true],
    ["the same source namespace", { sourceNamespace: "a" }, { sourceNamespace: "a" }, true],
    ["no source namespace where the root has one", { sourceNamespace: "a" }, {}, false],
    ["a source namespace where the root has none", {}, { sourceNamespace: "a" }, true],
    ["another source label's value", { sourceLabels: { a: "1" } }, { sourceLabels: { a: "2" } }, false],
    ["one source label more", { sourceLabels: { a: "1" } }, { sourceLabels: { b: "2" } }, true],
    ["some of the gateways", { gateways: ["a/x", "a/y"] }, { gateways: ["a/y"] }, true],
    ["more gateways", { gateways: ["a/x"] }, { gateways: ["a/x", "a/y"] }, false],
    ["another gateway", { gateways: ["a/x"] }, { gateways: ["a/y"] }, false],
  ])("with %s", (_, root, leaf, fits) => {
    expect(merged({ match: [root] }, { match: [leaf] })).toHaveLength(fits ? 1 : 0);
  });

  it("is put together with every match of the root that it fits, and the route goes if one fits none", () => {
    const root = {
      match: [{ name: "r1", uri: { prefix: "/a" } }, { headers: { h: { exact: "1" } }, port: 8 }, uri("exact", "/c")],
    };
    const [both] = merged(root, { match: [{ name: "d", uri: { prefix: "/a/b" }, statPrefix: "s" }] });
    expect(
      both?.match.map(({ name, uri: path, headers, port, statPrefix }) => [
        name,
        path?.prefix,
        headers["h"]?.exact,
        port,
        statPrefix,
      ]),
    ).toEqual([
      ["r1-d", "/a/b", undefined, 0, "s"],
      ["d", "/a/b", "1", 8, "s"],
    ]);
    const narrow = { match: [uri("prefix", "/a")] };
    expect(merged(narrow, { match: [uri("prefix", "/a/b"), uri("prefix", "/x")] }, { name: "kept" })).toMatchObject([
      { name: "kept", match: [{ uri: { prefix: "/a" } }] },
    ]);
  });
});

describe("a delegate's route", () => {
  it("says first what it says, and else what the root says", () => {
    const root = {
      name: "root",
      timeout: "1s",
      retries: { attempts: 1 },
      headers: { request: { set: { a: "root" } } },
      mirrors: [{ destination: { host: "root" } }],
      corsPolicy: { allowMethods: ["GET"] },
      fault: { abort: { httpStatus: 500 } },
    };
    const [first, second] = merged(
      root,
      {
        name: "leaf",
        timeout: "2s",
        mirrors: [{ destination: { host: "leaf" } }],
        route: [{ destination: { host: "x" } }],
      },
      { retries: { attempts: 2 } },
    );
    expect(first).toMatchObject({
      name: "root-leaf",
      timeout: 2000,
      retries: { attempts: 1 },
      headers: { request: { set: { a: "root" } } },
      mirrors: [{ destination: { host: "leaf" } }],
      fault: { abort: { httpStatus: 500 } },
      route: [{ destination: { host: "x" } }],
    });
    expect(second).toMatchObject({
      name: "root",
      timeout: 1000,
      retries: { attempts: 2 },
      mirrors: [{ destination: { host: "root" } }],
    });
  });

  it("that delegates itself is left out", () => {
    expect(merged({}, { delegate: { name: "further" } }, { name: "kept" })).toMatchObject([{ name: "kept" }]);
  });
});
