import { afterEach, describe, expect, it } from "vitest";
import { FakeEureka } from "./testing/fake-eureka.ts";
import { Watch } from "./testing/watch.ts";

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const ids = ["a", "b", "c", "d", "e"] as const;
const ipOf = (id: string): string => `10.0.0.${id.charCodeAt(0) - 96}`;
const healthy = (...names: readonly string[]): string => `orders: ${names.map((id) => `${id}=HEALTHY`).join(" ")}`;

async function started(): Promise<{ readonly eureka: FakeEureka; readonly reader: Watch }> {
  const eureka = await FakeEureka.open();
  closing.push(() => eureka.stop());
  for (const id of ids) eureka.register({ app: "orders", id, ip: ipOf(id) });
  const reader = await Watch.start({ urls: eureka.url, timeoutSeconds: 0.5 });
  closing.push(() => reader.stop());
  return { eureka, reader };
}

const evict = (eureka: FakeEureka, reader: Watch, ...names: readonly string[]): void => {
  for (const id of names) eureka.evict("orders", id, reader.clock.now());
};

describe("a lease that ran out", () => {
  it("is the end of one instance where the server could be heard for as long as the lease", async () => {
    const { eureka, reader } = await started();
    await reader.pollFor(100);
    evict(eureka, reader, "e");
    await reader.poll();
    expect(reader.state).toEqual([healthy("a", "b", "c", "d")]);
  });

  it("is none yet where the server could not be read within the lease: who registers again was never gone", async () => {
    const { eureka, reader } = await started();
    await reader.pollFor(100);
    eureka.mood = { type: "hangs" };
    await reader.poll(2);
    eureka.mend();
    evict(eureka, reader, "d", "e");
    await reader.pollFor(30);
    expect(reader.state).toEqual([healthy(...ids)]);
    eureka.register({ app: "orders", id: "d", ip: ipOf("d") });
    await reader.pollFor(45);
    expect(reader.state).toEqual([healthy(...ids)]);
    // The one that is dead leaves when the hold is over.
    await reader.pollFor(30);
    expect(reader.state).toEqual([healthy("a", "b", "c", "d")]);
    expect(reader.warnings.map(({ event }) => event)).toContain("eureka-losses-held");
  });

  it("is none yet when it comes soon after the start, because nobody knows what was before", async () => {
    const { eureka, reader } = await started();
    await reader.pollFor(60);
    evict(eureka, reader, "e");
    await reader.pollFor(80);
    expect(reader.state).toEqual([healthy(...ids)]);
    await reader.pollFor(20);
    expect(reader.state).toEqual([healthy("a", "b", "c", "d")]);
  });

  it("is none yet when many run out together: the server may have lost sight of its clients", async () => {
    const { eureka, reader } = await started();
    await reader.pollFor(200);
    evict(eureka, reader, "c", "d", "e");
    await reader.pollFor(30);
    expect(reader.state).toEqual([healthy(...ids)]);
    // Some are back. The others are not believed to be gone for that.
    eureka.register({ app: "orders", id: "c", ip: ipOf("c") });
    eureka.register({ app: "orders", id: "d", ip: ipOf("d") });
    await reader.pollFor(45);
    expect(reader.state).toEqual([healthy(...ids)]);
    await reader.pollFor(30);
    expect(reader.state).toEqual([healthy("a", "b", "c", "d")]);
  });

  it("is not what a deregistration is, although the server notes an eviction time for both", async () => {
    const { eureka, reader } = await started();
    eureka.mood = { type: "hangs" };
    await reader.poll();
    eureka.mend();
    eureka.cancel("orders", "e");
    await reader.poll();
    expect(reader.state).toEqual([healthy("a", "b", "c", "d")]);
  });
});
