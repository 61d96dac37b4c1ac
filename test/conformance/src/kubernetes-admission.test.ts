import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { customResourceDefinitions } from "@signalbox/istio-objects";
import { createAuthority, startKube, waitFor, type ApiAnswer, type RunningKube } from "@signalbox/test-servers";
import { createSignalbox } from "signalbox";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const virtualServices = "/apis/networking.istio.io/v1/namespaces/shop/virtualservices";
const deadlineMs = 30_000;

let kube: RunningKube;
let dir: string;
const stop = new AbortController();
let ended: Promise<void> | undefined;

beforeAll(async () => {
  kube = await startKube({ own: true });
  dir = await mkdtemp(join(tmpdir(), "signalbox-admission-"));
  const authority = await createAuthority(dir);
  const files = await authority.issue("webhook", { commonName: "webhook", alternativeNames: ["IP:127.0.0.1"] });
  const signalbox = await createSignalbox({
    xds: { plaintext: false },
    debug: false,
    admission: { port: 0, tls: { cert: files.certFile, key: files.keyFile } },
  });
  ended = signalbox.run(stop.signal);
  const { admission } = await signalbox.listening(stop.signal);
  await kube.create("/api/v1/namespaces", { metadata: { name: "shop" } });
  for (const definition of customResourceDefinitions()) await kube.create(definitions, definition);
  await kube.create("/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations", {
    metadata: { name: "signalbox" },
    webhooks: [
      {
        name: "validation.signalbox.local",
        admissionReviewVersions: ["v1"],
        sideEffects: "None",
        failurePolicy: "Ignore",
        timeoutSeconds: 5,
        clientConfig: {
          url: `https://127.0.0.1:${String(admission?.port)}/validate`,
          caBundle: (await readFile(authority.caFile)).toString("base64"),
        },
        rules: [
          {
            apiGroups: ["networking.istio.io", "security.istio.io", "telemetry.istio.io"],
            apiVersions: ["*"],
            operations: ["CREATE", "UPDATE"],
            resources: ["*"],
          },
        ],
      },
    ],
  });
  // The kinds are served, and the webhook is asked, a moment after they were written.
  const isRefused = async () => (await apply("probe", wrong)).status === 400;
  await waitFor(
    async () => {
      if (await isRefused()) return true;
      await kube.request(`${virtualServices}/probe`, { method: "DELETE" });
      return false;
    },
    { what: "a refusal", deadlineMs },
  );
}, 60_000);

afterAll(async () => {
  stop.abort();
  await ended;
  await kube.stop();
  await rm(dir, { recursive: true });
});

const route = [{ destination: { host: "web" } }];
const valid = { hosts: ["web"], http: [{ route }] };
/** The schema of the definition has nothing against it. */
const wrong = { hosts: ["web"], http: [{ route, timeout: "0.5ms" }] };

function apply(name: string, spec: object): Promise<ApiAnswer> {
  const body = { apiVersion: "networking.istio.io/v1", kind: "VirtualService", metadata: { name }, spec };
  return kube.request(virtualServices, { method: "POST", body });
}

// The tests tell one story: the webhook goes away at the end.
describe("the admission webhook of a real API server", () => {
  it("lets valid objects pass", async () => {
    const answer = await apply("valid", valid);
    expect(answer.status).toBe(201);
    expect(answer.headers["warning"]).toBeUndefined();
  });

  it("refuses wrong ones with the field that is wrong", async () => {
    const answer = await apply("wrong", wrong);
    expect(answer.status).toBe(400);
    expect((answer.json() as { message: string }).message).toMatch(
      /^admission webhook "validation\.signalbox\.local" denied the request: VirtualService shop\/wrong: spec\.http\[0\]\.timeout: /,
    );
  });

  it("takes an object whose name the API server makes", async () => {
    const body = { apiVersion: "networking.istio.io/v1", kind: "VirtualService", metadata: { generateName: "made-" } };
    const answer = await kube.request(virtualServices, { method: "POST", body: { ...body, spec: valid } });
    expect(answer.status).toBe(201);
  });

  it("refuses a change for the worse", async () => {
    const headers = { "content-type": "application/merge-patch+json" };
    const change = { method: "PATCH", headers, body: JSON.stringify({ spec: wrong }) };
    expect((await kube.request(`${virtualServices}/valid`, change)).status).toBe(400);
  });

  it("warns of what is probably not meant", async () => {
    const answer = await apply("doubtful", {
      hosts: ["web"],
      http: [{ route }, { route, match: [{ uri: { exact: "/a" } }] }],
    });
    expect(answer.status).toBe(201);
    expect(String(answer.headers["warning"])).toMatch(/^299 - "spec\.http\[1\]/);
  });

  it("is passed over while it is down, where failures are to be ignored", async () => {
    stop.abort();
    await ended;
    expect((await apply("unchecked", wrong)).status).toBe(201);
    expect((await kube.request(`${virtualServices}/unchecked`, { method: "DELETE" })).status).toBe(200);
  });
});
