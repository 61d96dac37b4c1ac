import { once } from "node:events";
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { request as httpsRequest } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect } from "node:tls";
import { silentLogger } from "@signalbox/registry";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createAdmissionServer, type AdmissionAddress, type AdmissionServer } from "./admission-server.ts";

const certificates = join(import.meta.dirname, "../../../../test/certificates");
const ca = readFileSync(join(certificates, "ca.crt"));

let dir: string;
let server: AdmissionServer;
let address: AdmissionAddress;
let results: string[];
let events: string[];

function copyPair(name: string): void {
  copyFileSync(join(certificates, `${name}.key`), join(dir, "tls.key"));
  copyFileSync(join(certificates, `${name}.crt`), join(dir, "tls.crt"));
}

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), "admission-"));
  copyPair("server");
  results = [];
  events = [];
  server = createAdmissionServer({
    host: "127.0.0.1",
    port: 0,
    certFile: join(dir, "tls.crt"),
    keyFile: join(dir, "tls.key"),
    logger: { ...silentLogger, info: (event) => events.push(event), error: (event) => events.push(event) },
    onReviewed: (result) => results.push(result),
    reloadMs: 20,
    receiveMs: 300,
  });
  address = await server.listen();
});

afterEach(async () => {
  await server.close();
  rmSync(dir, { recursive: true });
});

interface Answer {
  readonly status: number;
  readonly body: string;
}

function ask(method: string, path: string, body?: string | Buffer, length?: number): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json", ...(length !== undefined && { "content-length": length }) };
    const asked = httpsRequest({ ...address, method, path, headers, ca, checkServerIdentity: () => undefined });
    asked.on("error", reject);
    asked.on("response", (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => (text += part));
      response.on("error", () => undefined);
      response.on("close", () => resolve({ status: response.statusCode ?? 0, body: text }));
    });
    if (length === undefined) asked.end(body);
    else asked.write(body ?? "");
  });
}

const reviewOf = (spec: object): string =>
  JSON.stringify({
    apiVersion: "admission.k8s.io/v1",
    kind: "AdmissionReview",
    request: {
      uid: "u-1",
      operation: "CREATE",
      kind: { group: "networking.istio.io", version: "v1", kind: "VirtualService" },
      object: { apiVersion: "networking.istio.io/v1", kind: "VirtualService", metadata: { name: "web" }, spec },
    },
  });

const route = [{ destination: { host: "web" } }];

describe("the admission webhook", () => {
  it("allows a valid object", async () => {
    const { status, body } = await ask(
      "POST",
      "/validate?timeout=10s",
      reviewOf({ hosts: ["web"], http: [{ route }] }),
    );
    expect(status).toBe(200);
    expect(JSON.parse(body)).toEqual({
      apiVersion: "admission.k8s.io/v1",
      kind: "AdmissionReview",
      response: { uid: "u-1", allowed: true },
    });
    expect(results).toEqual(["allowed"]);
  });

  it("refuses a wrong one, says why, and logs it", async () => {
    const { body } = await ask("POST", "/validate", reviewOf({ hosts: ["web"], http: [{ route, timeout: "-1s" }] }));
    const { response } = JSON.parse(body) as { response: { allowed: boolean; status: { message: string } } };
    expect(response.allowed).toBe(false);
    expect(response.status.message).toContain("spec.http[0].timeout");
    expect(results).toEqual(["refused"]);
    expect(events).toEqual(["admission-refused"]);
  });

  it.each([
    ["GET", "/healthz", undefined, 200],
    ["GET", "/validate", undefined, 405],
    ["POST", "/other", "{}", 404],
    ["POST", "/validate", "{", 400],
    ["POST", "/validate", Buffer.from([0x22, 0xff, 0x22]), 400],
    ["POST", "/validate", "{}", 400],
  ])("answers %s %s with %s by %i", async (method, path, body, status) => {
    expect((await ask(method, path, body)).status).toBe(status);
  });

  it("refuses a body past the limit before it comes", async () => {
    expect((await ask("POST", "/validate", "{", 3 * 1024 * 1024 + 1)).status).toBe(413);
    expect(results).toEqual(["malformed"]);
  });

  it("takes a body of the limit", async () => {
    const padding = " ".repeat(3 * 1024 * 1024 - 2);
    expect((await ask("POST", "/validate", `{}${padding}`)).status).toBe(400);
  });

  it("gives up on a body that does not come in time", async () => {
    expect((await ask("POST", "/validate", "{", 100)).status).toBe(408);
    expect(results).toEqual([]);
  });

  it("does not speak TLS 1.1", async () => {
    const socket = connect({ ...address, ca, minVersion: "TLSv1.1", maxVersion: "TLSv1.1", ciphers: "ALL@SECLEVEL=0" });
    const [error] = (await once(socket, "error")) as [Error];
    expect(error.message).toMatch(/alert|protocol/i);
  });

  it("uses a changed certificate without a restart, and keeps the old one where the new one cannot be used", async () => {
    copyPair("renewed");
    await vi.waitFor(() => expect(events).toEqual(["admission-certificates-reloaded"]), 5_000);
    expect((await ask("GET", "/healthz")).status).toBe(200);
    copyFileSync(join(certificates, "server.key"), join(dir, "tls.key"));
    await vi.waitFor(() => expect(events).toContain("admission-certificates-rejected"), 5_000);
    expect((await ask("GET", "/healthz")).status).toBe(200);
  });
});
