import { byCodeUnit, instanceKey } from "@signalbox/model";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { routes } from "./routes.ts";
import type { ApiSources } from "./sources.ts";
import { ask } from "./testing/checked-api.ts";
import { entry, ip, sourcesOf } from "./testing/world.ts";

const name = fc.stringMatching(/^[a-c]{1,2}(\.[a-c]{1,2}){0,2}$/);
const services = fc
  .uniqueArray(fc.record({ namespace: fc.constantFrom("n", "n-2"), hostname: name, size: fc.nat(4) }), {
    selector: ({ hostname, namespace }) => `${namespace}/${hostname}`,
    maxLength: 8,
  })
  .map((list) =>
    list.map(({ hostname, namespace, size }, at) =>
      entry(
        namespace,
        hostname,
        Array.from({ length: size }, (_, index) => ({ addresses: [ip(`10.0.${at}.${9 - index}`)] as const })),
      ),
    ),
  );

/** All items of a list, page by page. */
async function pages(sources: ApiSources, path: string, limit: number): Promise<Record<string, unknown>[]> {
  const all: Record<string, unknown>[] = [];
  let after: string | undefined = "";
  while (after !== undefined) {
    const query: string = after === "" ? "" : `&after=${encodeURIComponent(after)}`;
    const { json } = await ask(sources, `${path}?limit=${limit}${query}`);
    const page = json as { items: Record<string, unknown>[]; next?: string };
    expect(page.items.length).toBeLessThanOrEqual(limit);
    all.push(...page.items);
    after = page.next;
  }
  return all;
}

describe("the API", () => {
  it("pages through every service and every endpoint once, whatever the length of a page", async () => {
    await fc.assert(
      fc.asyncProperty(services, fc.integer({ min: 1, max: 5 }), async (entries, limit) => {
        const sources = sourcesOf(entries);
        const keys = (await pages(sources, "/v1/services", limit)).map(({ key }) => key);
        expect(keys).toEqual(entries.map(({ key }) => key as string).sort(byCodeUnit));
        const endpoints = (await pages(sources, "/v1/instances", limit)).map(
          ({ address, service }) => `${String(service)} ${String(address)}`,
        );
        const expected = entries.flatMap(({ instances, key }) =>
          instances.map(({ addresses: [primary] }) => `${key} ${instanceKey(primary)}`),
        );
        expect(endpoints).toEqual(expected.sort(byCodeUnit));
      }),
      { numRuns: 50 },
    );
  });

  it("finds every service by its key, and never another one by any name", async () => {
    await fc.assert(
      fc.asyncProperty(services, name, async (entries, text) => {
        const sources = sourcesOf(entries);
        for (const { key } of entries) {
          const { json } = await ask(sources, `/v1/explain?service=${encodeURIComponent(key)}`);
          expect(json).toMatchObject({ service: key });
        }
        const { json, status } = await ask(sources, `/v1/explain?service=${text}`);
        const exact = entries.filter(({ service }) => service.hostname === text);
        const fitting =
          exact.length > 0 ? exact : entries.filter(({ service }) => service.hostname.startsWith(`${text}.`));
        expect(status).toBe(fitting.length === 1 ? 200 : fitting.length === 0 ? 404 : 409);
        if (status === 200) expect(json).toMatchObject({ service: fitting[0]?.key });
      }),
      { numRuns: 50 },
    );
  });

  it("answers or refuses whatever is asked, as its document says, and lets no write pass without the token", async () => {
    const [sample] = [entry("n", "a.b", [{ addresses: [ip("10.0.0.1")] }])];
    const writes: string[] = [];
    const never = (): never => {
      writes.push("write");
      throw new Error("a write without a token");
    };
    const sources: ApiSources = {
      ...sourcesOf([sample]),
      drift: () => [],
      guards: () => [],
      overrides: () => [],
      migration: () => undefined,
      journal: () => [],
      decideGuard: never,
      addOverride: never,
      removeOverride: never,
      rampAction: never,
    };
    const segment = fc.oneof(fc.constantFrom("n", "a.b", "%2F", "%zz", "..", "__proto__", ":accept"), fc.webSegment());
    const path = fc.oneof(
      fc
        .tuple(fc.constantFrom(...routes.map((route) => route.path)), segment)
        .map(([template, value]) => template.replaceAll(/\{\w+\}/g, value)),
      fc.array(segment, { maxLength: 4 }).map((parts) => `/v1/${parts.join("/")}`),
    );
    const query = fc.array(
      fc.tuple(
        fc.constantFrom("service", "address", "limit", "after", "registry", "from", "author", "x", "pretty"),
        fc.oneof(fc.constantFrom("a.b", "1", "n/a.b", "10.0.0.1", ":", "[", "[]:1", "*"), fc.string()),
      ),
      { maxLength: 3 },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom("GET", "HEAD", "POST", "DELETE", "PUT"),
        path,
        query,
        fc.oneof(
          fc.jsonValue(),
          fc.uint8Array().map((bytes) => Buffer.from(bytes)),
        ),
        fc.option(
          fc.string().map((text) => `Bearer ${text}`),
          { nil: undefined },
        ),
        async (method, where, parameters, body, authorization) => {
          const search = new URLSearchParams(parameters).toString();
          const told = await ask(
            sources,
            `${where}${search === "" ? "" : `?${search}`}`,
            { method, body, headers: { ...(authorization !== undefined && { authorization }) } },
            { token: () => Promise.resolve("a-token-that-is-not-guessed") },
          );
          expect(told.status).toBeGreaterThanOrEqual(200);
          expect(told.status).toBeLessThan(500);
          expect(writes).toEqual([]);
        },
      ),
      { numRuns: 500 },
    );
  });
});
