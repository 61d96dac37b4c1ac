import { workloadKey } from "@signalbox/model";
import type { ServiceInstance, Workload } from "@signalbox/model";
import { beforeEach, describe, expect, it } from "vitest";
import { InvalidCidrError } from "./address-ranges.ts";
import type { DriftMembers } from "./members.ts";
import { MemberIndex } from "./members.ts";
import {
  at,
  believed,
  billing,
  book,
  east,
  instance,
  membersOf,
  nobody,
  options,
  orders,
  ordersKey,
  west,
  workload,
} from "./testing/world.ts";
import { DriftTruth } from "./truth.ts";

const ip = "10.0.0.1";

/** The verdict on an instance of `orders`. */
function said(truth: DriftTruth, one: ServiceInstance = instance(ip), now = 0, members: DriftMembers = nobody) {
  return truth.verdict(one, book, orders, members, now);
}

function truthOf(...workloads: readonly Workload[]): DriftTruth {
  const truth = believed();
  for (const one of workloads) truth.update(east, undefined, one, 0);
  return truth;
}

describe("the verdict on an endpoint whose address a workload has", () => {
  it.each<{ name: string; more: Partial<Workload>; verdict: string; detail: string }>([
    { name: "ready", more: {}, verdict: "CONFIRMED", detail: "east/prod/a is ready" },
    {
      name: "ready, with the port",
      more: { ports: [80, 8080] },
      verdict: "CONFIRMED",
      detail: "east/prod/a is ready",
    },
    {
      name: "ready, with the port by name only",
      more: { ports: [80], namedPorts: { http: 8080 } },
      verdict: "CONFIRMED",
      detail: "east/prod/a is ready",
    },
    {
      name: "ready, with other ports",
      more: { ports: [9090, 80] },
      verdict: "PORT_MISMATCH",
      detail: "east/prod/a declares 80, 9090, not 8080",
    },
    { name: "not ready", more: { phase: "NOT_READY" }, verdict: "NOT_READY", detail: "east/prod/a is not ready" },
    { name: "pending", more: { phase: "PENDING" }, verdict: "NOT_READY", detail: "east/prod/a is pending" },
    {
      name: "not ready, with other ports",
      more: { phase: "NOT_READY", ports: [80] },
      verdict: "NOT_READY",
      detail: "east/prod/a is not ready",
    },
    {
      name: "terminating",
      more: { phase: "TERMINATING" },
      verdict: "TERMINATING",
      detail: "east/prod/a is terminating",
    },
  ])("is, of one that is $name, $verdict", ({ more, verdict, detail }) => {
    expect(said(truthOf(workload("a", ip, more)))).toEqual({ verdict, detail, since: 0, workload: "east/prod/a" });
  });

  it("does not count a workload that has failed: its address may be another's", () => {
    expect(said(truthOf(workload("a", ip, { phase: "FAILED" }))).verdict).toBe("UNVERIFIABLE");
    const other = truthOf(workload("a", ip, { phase: "FAILED" }), workload("b", ip));
    expect(said(other)).toMatchObject({ verdict: "CONFIRMED", workload: "east/prod/b" });
  });

  it("prefers a workload that runs to one that ends", () => {
    const two = truthOf(workload("a", ip, { phase: "TERMINATING" }), workload("b", ip, { phase: "NOT_READY" }));
    expect(said(two)).toMatchObject({ verdict: "NOT_READY", workload: "east/prod/b" });
  });

  it("is against the endpoint if its workload ends and one of another service has the address", () => {
    const two = truthOf(workload("a", ip, { phase: "TERMINATING" }), workload("b", ip));
    expect(said(two, instance(ip, { labels: { podName: "a" } }))).toMatchObject({
      verdict: "IMPOSTOR",
      workload: "east/prod/b",
    });
  });

  it("is that of the first by key, if several are equal", () => {
    const [a, b] = [workload("a", ip), workload("b", ip)];
    expect([truthOf(a, b), truthOf(b, a)].map((truth) => said(truth).workload)).toEqual([a.key, a.key]);
  });

  it("is that of the one that belongs to the service, if several run", () => {
    const two = truthOf(workload("a", ip), workload("b", ip, { phase: "NOT_READY" }));
    const named = instance(ip, { labels: { podName: "b" } });
    expect(said(two, named)).toMatchObject({ verdict: "NOT_READY", workload: "east/prod/b" });
  });

  it("begins when the workload came into its phase, or when the endpoint was listed after that", () => {
    const truth = truthOf(workload("a", ip));
    truth.update(east, workload("a", ip), workload("a", ip, { phase: "NOT_READY" }), 100);
    truth.update(
      east,
      workload("a", ip, { phase: "NOT_READY" }),
      workload("a", ip, { phase: "NOT_READY", ports: [1] }),
      200,
    );
    expect(said(truth).since).toBe(100);
    truth.listed(book, [], [instance(ip)], 300);
    expect(said(truth).since).toBe(300);
  });
});

describe("an endpoint that no cluster has a say about", () => {
  it.each<{ name: string; one: ServiceInstance; detail: string }>([
    { name: "outside the ranges", one: instance("10.2.0.1"), detail: "no cluster covers its address" },
    { name: "outside the ranges of IPv6", one: instance("2001:db9::1"), detail: "no cluster covers its address" },
    { name: "at an IPv4-mapped address", one: instance("::ffff:10.0.0.1"), detail: "no cluster covers its address" },
    {
      name: "at a hostname",
      one: instance("", { addresses: [{ type: "hostname", hostname: "a.test", port: 80 }] }),
      detail: "no cluster covers its address",
    },
    {
      name: "at a socket",
      one: instance("", { addresses: [{ type: "unix", path: "/run/a" }] }),
      detail: "no cluster covers its address",
    },
  ])("cannot be verified: $name", ({ one, detail }) => {
    const truth = truthOf(workload("a", ip));
    truth.listed(book, [], [one], 0);
    truth.read(east, 1);
    truth.read(east, 2);
    expect(said(truth, one, 1_000_000)).toMatchObject({ verdict: "UNVERIFIABLE", detail });
  });

  it("cannot be verified: of a registry that is not checked, or whose workloads are the truth", () => {
    const truth = believed({ checked: ["book/*", "cluster/*"] });
    truth.update(east, undefined, workload("a", ip), 0);
    const verdictFor = (registry: typeof book) => truth.verdict(instance(ip), registry, orders, nobody, 0).verdict;
    expect([verdictFor(book), verdictFor(east), verdictFor("files/b" as typeof book)]).toEqual([
      "CONFIRMED",
      "UNVERIFIABLE",
      "UNVERIFIABLE",
    ]);
    expect([truth.checks(book), truth.checks(east)]).toEqual([true, false]);
  });

  it("does not meet a workload outside the ranges of its cluster", () => {
    const truth = truthOf();
    expect(truth.update(east, undefined, workload("a", "10.1.0.1"), 0)).toEqual([]);
    expect(said(truth, instance("10.1.0.1")).verdict).toBe("UNVERIFIABLE");
    expect([truth.covers("10.1.0.1"), truth.covers("10.2.0.1")]).toEqual([true, false]);
  });
});

describe("trust", () => {
  it("is not there at first, and says whether it changed", () => {
    const truth = new DriftTruth(options);
    truth.update(east, undefined, workload("a", ip), 0);
    expect(said(truth)).toMatchObject({ verdict: "UNVERIFIABLE", detail: "cluster/east is not in sync" });
    expect([truth.trust(east, true), truth.trust(east, true), truth.trust(book, true)]).toEqual([true, false, false]);
    expect([truth.trusts(east), truth.trusts(west), truth.trusts(book)]).toEqual([true, false, false]);
    expect(said(truth).verdict).toBe("CONFIRMED");
    expect(truth.trust(east, false)).toBe(true);
    expect(said(truth).verdict).toBe("UNVERIFIABLE");
  });

  it("of one cluster says nothing about the addresses of another", () => {
    const truth = believed();
    const there = workload("b", "10.1.0.1", { key: workloadKey("west", "prod", "b"), phase: "NOT_READY" });
    truth.update(east, undefined, workload("a", ip, { phase: "NOT_READY" }), 0);
    truth.update(west, undefined, there, 0);
    truth.trust(west, false);
    expect([said(truth), said(truth, instance("10.1.0.1"))]).toMatchObject([
      { verdict: "NOT_READY", workload: "east/prod/a" },
      { verdict: "UNVERIFIABLE", detail: "cluster/west is not in sync" },
    ]);
  });

  it("in all clusters whose ranges overlap is needed to say anything against an endpoint", () => {
    const truth = new DriftTruth({
      ...options,
      clusters: [east, west].map((registry) => ({ registry, podCidrs: ["10.0.0.0/8"] })),
    });
    truth.trust(east, true);
    const impostor = workload("a", ip, { labels: { app: "billing" }, phase: "NOT_READY" });
    const members = new MemberIndex();
    members.update(book, "billing", { service: ordersKey, name: "BILLING", instances: [] });
    truth.update(east, undefined, impostor, 0);
    expect(said(truth, instance(ip), 0, members)).toMatchObject({ verdict: "UNVERIFIABLE" });
    truth.trust(west, true);
    // Its workload may be one of the other cluster that has yet to be told of.
    expect(said(truth, instance(ip), 0, members)).toMatchObject({
      verdict: "UNVERIFIABLE",
      detail: `no workload has ${ip} yet`,
    });
    truth.update(west, undefined, workload("b", ip, { key: workloadKey("west", "prod", "b") }), 0);
    expect(said(truth, instance(ip), 0, members)).toMatchObject({ verdict: "CONFIRMED", workload: "west/prod/b" });
  });
});

describe("an endpoint whose address no workload has", () => {
  let truth: DriftTruth;
  beforeEach(() => {
    truth = believed();
  });

  it("is a ghost after the time and two complete reads since it is listed, and not before", () => {
    truth.read(east, 0);
    truth.read(east, 1);
    truth.listed(book, [], [instance(ip)], 1000);
    const waiting = { verdict: "UNVERIFIABLE", detail: "no workload has 10.0.0.1 yet", since: 1000 };
    expect(said(truth, instance(ip), 1000)).toEqual({ ...waiting, dueAt: 16_000 });
    expect(truth.read(east, 2000)).toEqual([]);
    expect(said(truth, instance(ip), 16_000)).toEqual(waiting);
    expect(truth.read(east, 3000)).toEqual([ip]);
    expect(said(truth, instance(ip), 15_999)).toEqual({ ...waiting, dueAt: 16_000 });
    expect(said(truth, instance(ip), 16_000)).toEqual({
      verdict: "GHOST",
      detail: "no workload has 10.0.0.1",
      since: 1000,
    });
    expect(truth.read(east, 4000)).toEqual([]);
  });

  it("is no ghost by the reads of another cluster", () => {
    truth.listed(book, [], [instance(ip)], 0);
    expect([truth.read(west, 1), truth.read(west, 2), truth.read(west, 3)]).toEqual([[], [], []]);
    expect(said(truth, instance(ip), 1_000_000).verdict).toBe("UNVERIFIABLE");
  });

  it("keeps its time while it stays listed, and loses it when it is listed anew", () => {
    truth.listed(book, [], [instance(ip)], 0);
    truth.read(east, 1);
    truth.read(east, 2);
    truth.listed(book, [instance(ip)], [instance(ip, { weight: 2 })], 14_000);
    expect(said(truth, instance(ip), 15_000).verdict).toBe("GHOST");
    truth.listed(book, [instance(ip)], [], 16_000);
    truth.listed(book, [], [instance(ip)], 17_000);
    expect(said(truth, instance(ip), 17_000)).toMatchObject({ verdict: "UNVERIFIABLE", dueAt: 32_000 });
  });

  it("keeps its time as long as one of several records lists it", () => {
    truth.listed(book, [], [instance(ip)], 0);
    truth.listed(book, [], [instance(ip)], 5000);
    truth.read(east, 5001);
    truth.read(east, 5002);
    truth.listed(book, [instance(ip)], [], 6000);
    expect(said(truth, instance(ip), 15_000).verdict).toBe("GHOST");
  });

  it("is another one once it registers anew: the address may have a new owner", () => {
    const before = instance(ip, { registeredAt: 1 });
    const after = instance(ip, { registeredAt: 90_000 });
    truth.listed(book, [], [before], 0);
    truth.read(east, 1);
    truth.read(east, 2);
    expect(said(truth, before, 90_000).verdict).toBe("GHOST");
    truth.listed(book, [before], [after], 90_000);
    expect(said(truth, after, 90_000)).toMatchObject({ verdict: "UNVERIFIABLE", dueAt: 105_000 });
  });

  it("is no ghost while nobody said that it is listed", () => {
    truth.read(east, 1);
    truth.read(east, 2);
    expect(said(truth, instance(ip), 1_000_000)).toEqual({
      verdict: "UNVERIFIABLE",
      detail: "no workload has 10.0.0.1 yet",
    });
  });

  it("waits as long as the options say", () => {
    truth = believed({ ghostAfterMs: 0 });
    truth.listed(book, [], [instance(ip)], 0);
    truth.read(east, 0);
    truth.read(east, 0);
    expect(said(truth, instance(ip), 0).verdict).toBe("GHOST");
  });
});

describe("an endpoint whose workload was seen leaving", () => {
  let truth: DriftTruth;
  beforeEach(() => {
    truth = truthOf(workload("a", ip));
    truth.listed(book, [], [instance(ip)], 0);
  });
  const gone = {
    verdict: "GHOST",
    detail: "east/prod/a, which had 10.0.0.1, is gone",
    since: 100,
    workload: "east/prod/a",
  };

  it.each<{ name: string; after: Workload | undefined; changed: string[] }>([
    { name: "is deleted", after: undefined, changed: [ip] },
    { name: "fails", after: workload("a", ip, { phase: "FAILED" }), changed: [ip] },
    { name: "loses its address", after: workload("a", "10.0.0.2"), changed: [ip, "10.0.0.2"] },
    { name: "becomes another one", after: workload("b", "10.0.0.2"), changed: [ip, "10.0.0.2"] },
  ])("is a ghost at once when it $name", ({ after, changed }) => {
    expect(truth.update(east, workload("a", ip), after, 100)).toEqual(changed);
    expect(said(truth, instance(ip), 100)).toEqual(gone);
    // However long it stays.
    truth.read(east, 100_000_000);
    expect(said(truth, instance(ip), 100_000_000)).toEqual(gone);
  });

  it("is terminating at once, and a ghost once it is gone", () => {
    const ending = workload("a", ip, { phase: "TERMINATING" });
    expect(truth.update(east, workload("a", ip), ending, 50)).toEqual([ip]);
    expect(said(truth, instance(ip), 50)).toMatchObject({ verdict: "TERMINATING", since: 50 });
    truth.update(east, ending, undefined, 100);
    expect(said(truth, instance(ip), 100)).toEqual(gone);
  });

  it("is none any more once another workload has the address", () => {
    truth.update(east, workload("a", ip), undefined, 100);
    expect(truth.update(east, undefined, workload("b", ip), 200)).toEqual([ip]);
    expect(said(truth, instance(ip), 200)).toMatchObject({ verdict: "CONFIRMED", workload: "east/prod/b" });
  });

  it("is none if another workload has the address already", () => {
    truth.update(east, undefined, workload("b", ip), 50);
    truth.update(east, workload("a", ip), undefined, 100);
    expect(said(truth, instance(ip), 100)).toMatchObject({ verdict: "CONFIRMED", workload: "east/prod/b" });
  });

  it.each([
    { name: "registered long before", registeredAt: 94_999, now: 100_000, verdict: "GHOST" },
    {
      name: "registered just before, by a clock that may be late",
      registeredAt: 95_001,
      now: 100_000,
      verdict: "UNVERIFIABLE",
    },
    { name: "registered afterwards", registeredAt: 100_001, now: 100_002, verdict: "UNVERIFIABLE" },
  ])("is $verdict when it was $name", ({ registeredAt, now, verdict }) => {
    const one = instance(ip, { registeredAt });
    truth.update(east, workload("a", ip), undefined, 100_000);
    truth.listed(book, [], [one], now);
    expect(said(truth, one, now).verdict).toBe(verdict);
  });

  it("is not believed to be that workload when it was listed afterwards, and becomes a ghost with time", () => {
    const other = instance(ip, { id: "later" });
    truth.update(east, workload("a", ip), undefined, 100);
    truth.listed(book, [], [other], 200);
    expect(said(truth, other, 200)).toMatchObject({ verdict: "UNVERIFIABLE", dueAt: 15_200 });
    expect([said(truth, instance(ip), 200).verdict, truth.read(east, 300), truth.read(east, 400)]).toEqual([
      "GHOST",
      [],
      [ip],
    ]);
    expect(said(truth, other, 15_200)).toMatchObject({ verdict: "GHOST", since: 200 });
  });

  it("waits from the departure on if it cannot be told which came first", () => {
    const one = instance(ip, { registeredAt: 99_000 });
    truth.listed(book, [], [one], 99_000);
    truth.read(east, 99_001);
    truth.read(east, 99_002);
    truth.update(east, workload("a", ip), undefined, 100_000);
    expect(said(truth, one, 114_999)).toMatchObject({ verdict: "UNVERIFIABLE", dueAt: 115_000 });
    expect(said(truth, one, 115_000).verdict).toBe("UNVERIFIABLE");
    expect([truth.read(east, 100_001), truth.read(east, 100_002)]).toEqual([[], [ip]]);
    expect(said(truth, one, 115_000)).toMatchObject({ verdict: "GHOST", since: 100_000 });
  });
});

describe("departures of addresses that are not listed", () => {
  const late = instance(ip, { registeredAt: -100_000 });

  it.each([
    { name: "an hour", now: 3_599_999, verdict: "GHOST" },
    { name: "no longer than an hour", now: 3_600_000, verdict: "UNVERIFIABLE" },
  ])("are remembered for $name", ({ now, verdict }) => {
    const truth = truthOf(workload("a", ip));
    truth.update(east, workload("a", ip), undefined, 0);
    truth.read(east, now);
    expect(said(truth, late, now).verdict).toBe(verdict);
  });

  it("are no more than 10,000, the last ones", () => {
    const truth = truthOf();
    const leave = (name: string, where: string) => {
      truth.update(east, undefined, workload(name, where), 0);
      truth.update(east, workload(name, where), undefined, 0);
    };
    leave("a", ip);
    for (let i = 0; i < 9_999; i++) leave(`w${i}`, `10.0.${100 + Math.floor(i / 250)}.${i % 250}`);
    expect(said(truth, late).verdict).toBe("GHOST");
    leave("last", "10.0.99.1");
    expect([said(truth, late).verdict, said(truth, instance("10.0.99.1", { registeredAt: -100_000 })).verdict]).toEqual(
      ["UNVERIFIABLE", "GHOST"],
    );
  });

  it("are remembered from the last one on, each for itself", () => {
    const truth = truthOf(workload("a", ip), workload("b", "10.0.0.2"));
    const other = instance("10.0.0.2", { registeredAt: -100_000 });
    truth.update(east, workload("a", ip), undefined, 0);
    truth.update(east, workload("b", "10.0.0.2"), undefined, 1);
    truth.update(east, undefined, workload("a", ip), 3_000_000);
    truth.update(east, workload("a", ip), undefined, 3_000_000);
    truth.read(east, 3_600_001);
    expect([late, other].map((one) => said(truth, one, 3_600_001).verdict)).toEqual(["GHOST", "UNVERIFIABLE"]);
  });

  it("are remembered for an hour after the address was listed last", () => {
    const truth = truthOf(workload("a", ip));
    truth.listed(book, [], [late], 0);
    truth.update(east, workload("a", ip), undefined, 0);
    truth.listed(book, [late], [], 5_000_000);
    truth.read(east, 8_599_999);
    expect(said(truth, late, 8_599_999).verdict).toBe("GHOST");
    truth.read(east, 8_600_000);
    expect(said(truth, late, 8_600_000).verdict).toBe("UNVERIFIABLE");
  });
});

describe("a workload of another service", () => {
  const names = new MemberIndex();
  names.update(book, "BILLING", { service: ordersKey, name: "BILLING", instances: [] });
  const bothListed = membersOf([
    [orders, [at("10.0.0.2")]],
    [billing, [at(ip, 9090)]],
  ]);

  it.each<{
    name: string;
    one?: Partial<ServiceInstance>;
    has?: Partial<Workload>;
    members?: DriftMembers;
    verdict: string;
    detail?: string;
  }>([
    { name: "nothing tells", verdict: "CONFIRMED" },
    {
      name: "the endpoint names another workload",
      one: { labels: { podName: "b" } },
      verdict: "IMPOSTOR",
      detail: "10.0.0.1 is of east/prod/a: the endpoint is of b",
    },
    {
      name: "the endpoint names the workload, by its second label",
      one: { labels: { podName: "", POD_NAME: "a" } },
      verdict: "CONFIRMED",
    },
    {
      name: "the endpoint names the workload and its namespace",
      one: { labels: { "pod-name": "prod/a" } },
      verdict: "CONFIRMED",
    },
    {
      name: "the endpoint names one of another namespace",
      one: { labels: { "pod-name": "test/a" } },
      verdict: "IMPOSTOR",
    },
    {
      name: "the endpoint names the workload, whatever else tells",
      one: { labels: { podName: "a" }, registeredAt: 0 },
      has: { labels: { app: "billing" }, startedAt: 1_000_000 },
      members: bothListed,
      verdict: "CONFIRMED",
    },
    {
      name: "the cluster lists the address under another service only",
      members: bothListed,
      verdict: "IMPOSTOR",
      detail: "10.0.0.1 is of east/prod/a: cluster/east lists it under shop/billing.test",
    },
    {
      name: "the cluster knows the service without endpoints",
      members: membersOf([
        [orders, []],
        [billing, [at(ip)]],
      ]),
      verdict: "IMPOSTOR",
    },
    {
      name: "the cluster lists the address under both",
      members: membersOf([
        [orders, [at(ip, 9090)]],
        [billing, [at(ip)]],
      ]),
      has: { labels: { app: "billing" } },
      verdict: "CONFIRMED",
    },
    {
      name: "the cluster does not know the service",
      members: membersOf([[billing, [at(ip)]]]),
      verdict: "CONFIRMED",
    },
    {
      name: "its label names another service of the registry",
      has: { labels: { app: "Billing" } },
      members: names,
      verdict: "IMPOSTOR",
      detail: "10.0.0.1 is of east/prod/a: its label app is billing",
    },
    {
      name: "its label names no service of the registry",
      has: { labels: { app: "stock" } },
      members: names,
      verdict: "CONFIRMED",
    },
    {
      name: "one of its labels names this service",
      has: { labels: { "app.kubernetes.io/name": "billing", app: "orders" }, startedAt: 1_000_000 },
      one: { registeredAt: 0 },
      members: names,
      verdict: "CONFIRMED",
    },
    {
      name: "it is younger than the registration",
      one: { registeredAt: 1000 },
      has: { startedAt: 6001 },
      verdict: "IMPOSTOR",
      detail: "10.0.0.1 is of east/prod/a: it started 5001 ms after the endpoint was registered",
    },
    {
      name: "it is younger by no more than clocks differ",
      one: { registeredAt: 1000 },
      has: { startedAt: 6000 },
      verdict: "CONFIRMED",
    },
    {
      name: "a terminating one that another service has",
      has: { phase: "TERMINATING" },
      members: bothListed,
      verdict: "IMPOSTOR",
    },
  ])("$name: $verdict", ({ one, has, members = nobody, verdict, detail }) => {
    const found = said(truthOf(workload("a", ip, has)), instance(ip, one), 0, members);
    expect(found).toMatchObject({ verdict, workload: "east/prod/a", ...(detail !== undefined && { detail }) });
  });

  it("is found by the labels that the options name", () => {
    const truth = believed({ serviceLabels: ["team"], workloadNameLabels: ["host"] });
    truth.update(east, undefined, workload("a", ip, { labels: { team: "billing", app: "orders" } }), 0);
    expect(said(truth, instance(ip), 0, names).verdict).toBe("IMPOSTOR");
    expect(said(truth, instance(ip, { labels: { host: "a", podName: "b" } }), 0, names).verdict).toBe("CONFIRMED");
  });

  it("is not found in labels that are there by inheritance only", () => {
    const truth = believed({ workloadNameLabels: ["toString"] });
    truth.update(east, undefined, workload("a", ip), 0);
    expect(said(truth).verdict).toBe("CONFIRMED");
  });
});

describe("IPv6 and dual stack", () => {
  const ip6 = "2001:db8::1";
  const dual = instance(ip, { addresses: [at(ip), at(ip6)] });

  it("knows an address in every spelling", () => {
    const truth = truthOf(workload("a", "2001:DB8:0:0::0001"));
    expect(said(truth, instance("2001:db8:0::1"))).toMatchObject({ verdict: "CONFIRMED" });
    expect(truth.update(east, workload("a", ip6), undefined, 1)).toEqual([ip6]);
  });

  it("names both addresses of a workload that changed", () => {
    const truth = truthOf();
    expect(truth.update(east, undefined, workload("a", ip6, { addresses: [ip6, ip, "db.test"] }), 0)).toEqual([
      ip,
      ip6,
    ]);
  });

  it("is not due while one address is confirmed, whatever the other waits for", () => {
    const truth = truthOf(workload("a", ip6));
    truth.listed(book, [], [dual], 0);
    expect(said(truth, dual)).toEqual({
      verdict: "CONFIRMED",
      detail: "east/prod/a is ready",
      since: 0,
      workload: "east/prod/a",
    });
  });

  it.each<{ name: string; workloads: Workload[]; one?: ServiceInstance; verdict: string; detail?: string }>([
    { name: "one workload has both", workloads: [workload("a", ip, { addresses: [ip, ip6] })], verdict: "CONFIRMED" },
    { name: "a workload has the second only", workloads: [workload("a", ip6)], verdict: "CONFIRMED" },
    { name: "nobody has one of them", workloads: [], verdict: "UNVERIFIABLE", detail: "no workload has 10.0.0.1 yet" },
    {
      name: "one of them is covered by no cluster",
      workloads: [workload("a", ip, { phase: "NOT_READY" })],
      one: instance(ip, { addresses: [at("2001:db9::1"), at(ip)] }),
      verdict: "NOT_READY",
    },
    {
      name: "one of them leads to another service",
      workloads: [workload("a", ip), workload("b", ip6)],
      one: instance(ip, { addresses: [at(ip), at(ip6)], labels: { podName: "a" } }),
      verdict: "IMPOSTOR",
    },
  ])("of an endpoint with two addresses, $name: $verdict", ({ workloads, one = dual, verdict, detail }) => {
    expect(said(truthOf(...workloads), one)).toMatchObject({ verdict, ...(detail !== undefined && { detail }) });
  });
});

describe("workloads on the host network", () => {
  const host = (name: string, ...ports: readonly number[]) => workload(name, ip, { hostNetwork: true, ports });
  const notOurs = "10.0.0.1 is a host's, and no workload there declares port 8080";

  it.each<{ name: string; workloads: Workload[]; verdict: string; decides?: string; detail?: string }>([
    {
      name: "the one with the port",
      workloads: [host("a", 80), host("b", 8080)],
      verdict: "CONFIRMED",
      decides: "east/prod/b",
    },
    { name: "none with the port", workloads: [host("a", 80)], verdict: "UNVERIFIABLE", detail: notOurs },
    { name: "one that declares none", workloads: [host("a")], verdict: "UNVERIFIABLE", detail: notOurs },
  ])("are joined by address and port: $name is $verdict", ({ workloads, verdict, decides, detail }) => {
    const found = said(truthOf(...workloads));
    expect(found).toMatchObject({ verdict, ...(detail !== undefined && { detail }) });
    expect(found.workload).toBe(decides);
  });

  it("are of another service only by the same port", () => {
    const truth = truthOf(host("a", 8080, 9090));
    const otherPort = membersOf([
      [orders, []],
      [billing, [at(ip, 9090)]],
    ]);
    const samePort = membersOf([
      [orders, []],
      [billing, [at(ip, 8080)]],
    ]);
    const verdicts = [otherPort, samePort].map((members) => said(truth, instance(ip), 0, members).verdict);
    expect(verdicts).toEqual(["CONFIRMED", "IMPOSTOR"]);
  });

  it.each<{ name: string; stays: Workload[]; after?: Workload; verdict: string }>([
    { name: "alone", stays: [], verdict: "GHOST" },
    { name: "beside one with another port", stays: [host("b", 80)], verdict: "GHOST" },
    { name: "beside one with the same port", stays: [host("b", 8080)], verdict: "CONFIRMED" },
    { name: "beside one that declares none", stays: [host("b")], verdict: "UNVERIFIABLE" },
    { name: "giving up the port only", stays: [], after: host("a", 9090), verdict: "GHOST" },
    { name: "changing another port", stays: [], after: host("a", 8080, 9090), verdict: "CONFIRMED" },
  ])("leave, $name: $verdict", ({ stays, after, verdict }) => {
    const truth = truthOf(host("a", 8080), ...stays);
    truth.listed(book, [], [instance(ip)], 0);
    expect(truth.update(east, host("a", 8080), after, 100)).toEqual([ip]);
    expect(said(truth, instance(ip), 100).verdict).toBe(verdict);
  });
});

describe("the index", () => {
  it.each([
    { name: "its node", after: { node: "n2" } },
    { name: "labels that name no service", after: { labels: { color: "red" } } },
    { name: "its source's version", after: { provenance: { registry: east, object: "a", sourceVersion: "2" } } },
  ])("names no address when a workload changes only in $name", ({ after }) => {
    const truth = truthOf(workload("a", ip));
    expect(truth.update(east, workload("a", ip), workload("a", ip, after), 1)).toEqual([]);
  });

  it.each<{ name: string; after: Partial<Workload> }>([
    { name: "its phase", after: { phase: "NOT_READY" } },
    { name: "its network", after: { hostNetwork: true } },
    { name: "its ports", after: { ports: [1] } },
    { name: "its named ports", after: { namedPorts: { http: 1 } } },
    { name: "its start", after: { startedAt: 1 } },
    { name: "the label of its service", after: { labels: { app: "orders" } } },
  ])("names the address of a workload that changes in $name", ({ after }) => {
    const truth = truthOf(workload("a", ip));
    expect(truth.update(east, workload("a", ip), workload("a", ip, after), 1)).toEqual([ip]);
  });

  it("takes no word of registries that it does not know", () => {
    const truth = truthOf();
    expect(truth.update(book, undefined, workload("a", ip), 0)).toEqual([]);
    expect(truth.read(book, 0)).toEqual([]);
    expect(said(truth).verdict).toBe("UNVERIFIABLE");
  });

  it("refuses a range that is none, and joins clusters of one registry", () => {
    expect(() => new DriftTruth({ ...options, clusters: [{ registry: east, podCidrs: ["10.0.0.0/99"] }] })).toThrow(
      InvalidCidrError,
    );
    const both = ["10.0.0.0/16", "10.3.0.0/16"].map((cidr) => ({ registry: east, podCidrs: [cidr] }));
    const truth = new DriftTruth({ ...options, clusters: both });
    expect([truth.covers("10.0.0.1"), truth.covers("10.3.0.1")]).toEqual([true, true]);
  });
});
