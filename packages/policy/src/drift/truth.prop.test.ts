import { workloadKey } from "@signalbox/model";
import type { RegistryId, ServiceInstance, Workload } from "@signalbox/model";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { driftStage, reconcile } from "./stage.ts";
import {
  at,
  believed,
  billing,
  billingKey,
  book,
  east,
  instance,
  membersOf,
  options,
  orders,
  record,
  west,
} from "./testing/world.ts";
import { DriftTruth } from "./truth.ts";

const ips = ["10.0.0.1", "10.0.0.2", "10.1.0.1", "2001:db8::1", "10.9.0.1"] as const;
const anyIp = fc.constantFrom(...ips);
const clusters: readonly RegistryId[] = [east, west];

const elsewhere = {
  owner: "",
  serviceAccount: "",
  node: "",
  locality: { region: "", zone: "", subzone: "" },
  network: "",
};

const anyWorkload = fc
  .record({
    cluster: fc.constantFrom(...clusters),
    name: fc.constantFrom("a", "b", "c"),
    addresses: fc.uniqueArray(anyIp, { maxLength: 2 }),
    hostNetwork: fc.boolean(),
    ports: fc.constantFrom([], [8080], [80], [80, 8080]),
    phase: fc.constantFrom("PENDING", "READY", "NOT_READY", "TERMINATING", "FAILED"),
    app: fc.constantFrom("orders", "billing", "stock"),
    startedAt: fc.option(fc.constantFrom(0, 50_000), { nil: undefined }),
  })
  .map(({ cluster, name, app, startedAt, ...more }) => ({
    cluster,
    workload: {
      ...elsewhere,
      ...more,
      key: workloadKey(cluster, "prod", name),
      labels: { app },
      ...(startedAt !== undefined && { startedAt }),
      provenance: { registry: cluster, object: name },
    } satisfies Workload,
  }));

const anyInstance = fc
  .record({
    addresses: fc.uniqueArray(anyIp, { minLength: 1, maxLength: 2 }),
    port: fc.constantFrom(80, 8080),
    podName: fc.constantFrom("", "a", "b"),
    registeredAt: fc.option(fc.constantFrom(0, 20_000), { nil: undefined }),
  })
  .map(({ addresses: [first = ips[0], ...rest], port, podName, registeredAt }): ServiceInstance =>
    instance(first, {
      addresses: [at(first, port), ...rest.map((ip) => at(ip, port))],
      labels: { podName },
      ...(registeredAt !== undefined && { registeredAt }),
    }),
  );
const anyInstances = fc.uniqueArray(anyInstance, {
  minLength: 1,
  maxLength: 6,
  selector: ({ addresses, registeredAt, labels }) => JSON.stringify([addresses, registeredAt, labels]),
});

const anyMembers = fc
  .tuple(fc.uniqueArray(anyIp), fc.uniqueArray(anyIp))
  .map(([own, others]) =>
    membersOf([
      [orders, own.map((ip) => at(ip))],
      [billing, others.map((ip) => at(ip))],
    ]),
  )
  .map((members) => {
    members.update(book, "billing", { service: billingKey, name: "billing", instances: [] });
    return members;
  });
type Members = typeof anyMembers extends fc.Arbitrary<infer T> ? T : never;

/** A workload is put, or the one with this key taken away. */
const anyStep = fc.record({
  change: anyWorkload,
  isRemoval: fc.boolean(),
  read: fc.boolean(),
  wait: fc.constantFrom(0, 1, 7000, 20_000),
});

/** What `truth` says about these; without times, which depend on when it was told. */
function said(truth: DriftTruth, instances: readonly ServiceInstance[], members: Members, now: number) {
  return instances.map((one) => {
    const { verdict, workload } = truth.verdict(one, book, orders, members, now);
    return { verdict, workload };
  });
}

describe("drift, whatever happens", () => {
  it("says the same whatever the order in which workloads were told", () => {
    const anyWorkloads = fc.uniqueArray(anyWorkload, { minLength: 3, selector: ({ workload }) => workload.key });
    fc.assert(
      fc.property(
        anyWorkloads.chain((all) =>
          fc.tuple(fc.constant(all), fc.shuffledSubarray(all, { minLength: all.length, maxLength: all.length })),
        ),
        anyInstances,
        anyMembers,
        ([all, shuffled], instances, members) => {
          const [one, other] = [all, shuffled].map((workloads) => {
            const truth = believed();
            truth.listed(book, [], instances, 0);
            for (const { cluster, workload } of workloads) truth.update(cluster, undefined, workload, 0);
            for (const cluster of [...clusters, ...clusters]) truth.read(cluster, 1);
            const whole = instances.map((each) => truth.verdict(each, book, orders, members, 20_000));
            return { whole, result: reconcile(record(...instances.map(asCandidate)), contextOf(truth, members)) };
          });
          expect(one).toEqual(other);
        },
      ),
      { numRuns: 500 },
    );
  });

  it("leaves every candidate as it is while no cluster is believed", () => {
    fc.assert(
      fc.property(fc.array(anyStep), anyInstances, anyMembers, (steps, instances, members) => {
        const truth = new DriftTruth(options);
        truth.listed(book, [], instances, 0);
        play(truth, steps);
        const before = record(...instances.map(asCandidate));
        expect(driftStage(before, contextOf(truth, members))).toBe(before);
      }),
    );
  });

  it("never touches an endpoint none of whose addresses a believed cluster covers", () => {
    fc.assert(
      fc.property(fc.array(anyStep), anyInstances, anyMembers, (steps, instances, members) => {
        const truth = believed();
        truth.trust(west, false);
        truth.listed(book, [], instances, 0);
        play(truth, steps);
        const outside = instances.filter(({ addresses }) =>
          addresses.every((address) => address.type === "ip" && /^10\.[19]/.test(address.ip)),
        );
        for (const { verdict } of said(truth, outside, members, 1e9)) expect(verdict).toBe("UNVERIFIABLE");
      }),
    );
  });

  it("ends, fed by updates in any number, where a new index begins that is told only what is left", () => {
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 30 }), anyInstances, anyMembers, (steps, instances, members) => {
        const fed = believed();
        fed.listed(book, [], instances, 0);
        const { left, now } = play(fed, steps);
        const built = believed();
        built.listed(book, [], instances, now);
        for (const { cluster, workload } of left.values()) built.update(cluster, undefined, workload, now);
        // Both have waited for the same; who left long ago and whose the host's address was, only one can know.
        for (const truth of [fed, built])
          for (const cluster of [...clusters, ...clusters]) truth.read(cluster, now + 1);
        const [one, other] = [fed, built].map((truth) =>
          said(truth, instances, members, now + 30_000).map(({ verdict, workload }) =>
            verdict === "GHOST" ? { verdict } : { verdict, workload },
          ),
        );
        const isShared = hostAddresses(left.values());
        const comparable = instances.map(({ addresses }) =>
          addresses.every((address) => address.type === "ip" && !isShared.has(address.ip)),
        );
        expect(one?.filter((_, i) => comparable[i])).toEqual(other?.filter((_, i) => comparable[i]));
      }),
    );
  });

  it("names with each update and each read every address whose verdicts it changed", () => {
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 30 }), anyInstances, anyMembers, (steps, instances, members) => {
        const truth = believed();
        truth.listed(book, [], instances, 0);
        play(truth, steps, (act, now) => {
          const full = () => instances.map((one) => truth.verdict(one, book, orders, members, now));
          const before = full();
          const named = act();
          const after = full();
          expect(named).toEqual([...new Set(named)].sort());
          for (const [index, { addresses }] of instances.entries()) {
            if (addresses.some((address) => address.type === "ip" && named.includes(address.ip))) continue;
            expect(after[index]).toEqual(before[index]);
          }
        });
      }),
    );
  });

  it("changes no verdict by time alone before it said so", () => {
    fc.assert(
      fc.property(fc.array(anyStep), anyInstances, anyMembers, fc.nat(40_000), (steps, instances, members, wait) => {
        const truth = believed();
        truth.listed(book, [], instances, 0);
        const { now } = play(truth, steps);
        for (const one of instances) {
          const first = truth.verdict(one, book, orders, members, now);
          const second = truth.verdict(one, book, orders, members, now + wait);
          if (first.dueAt === undefined || now + wait < first.dueAt) expect(second).toEqual(first);
        }
      }),
    );
  });
});

function asCandidate(one: ServiceInstance) {
  return { instance: one, registry: book, findings: [], priority: 0 };
}

function contextOf(truth: DriftTruth, members: Members) {
  const exclude = "exclude" as const;
  const actions = {
    NOT_READY: exclude,
    TERMINATING: exclude,
    GHOST: exclude,
    IMPOSTOR: exclude,
    PORT_MISMATCH: exclude,
  };
  return { truth, members, actions, service: orders, now: 20_000 };
}

type Step = typeof anyStep extends fc.Arbitrary<infer T> ? T : never;
type Told = Step["change"];

/** Plays steps; answers what is left and what time it is. `around` is called for each act that may change verdicts. */
function play(
  truth: DriftTruth,
  steps: readonly Step[],
  around: (act: () => readonly string[], now: number) => void = (act) => void act(),
) {
  const left = new Map<string, Told>();
  let now = 0;
  for (const { change, isRemoval, read, wait } of steps) {
    now += wait;
    const { cluster, workload } = change;
    const before = left.get(workload.key)?.workload;
    const after = isRemoval ? undefined : workload;
    around(() => truth.update(cluster, before, after, now), now);
    if (after === undefined) left.delete(workload.key);
    else left.set(workload.key, change);
    if (read) around(() => truth.read(cluster, now), now);
  }
  return { left, now };
}

function hostAddresses(told: Iterable<Told>): ReadonlySet<string> {
  return new Set(
    [...told].filter(({ workload }) => workload.hostNetwork).flatMap(({ workload }) => workload.addresses),
  );
}
