import { describe, expect, it } from "vitest";
import { defaultRules } from "../rules.ts";
import { driftReport } from "./report.ts";
import type { DriftObservation } from "./report.ts";
import { reconcile } from "./stage.ts";
import {
  at,
  believed,
  billing,
  billingKey,
  book,
  candidate,
  east,
  instance,
  membersOf,
  orders,
  ordersKey,
  record,
  workload,
} from "./testing/world.ts";
import { unregistered } from "./unregistered.ts";

const truth = believed();
truth.update(east, undefined, workload("a", "10.0.0.1"), 0);
truth.update(east, undefined, workload("b", "10.0.0.2", { phase: "NOT_READY" }), 5);
truth.update(east, undefined, workload("c", "10.0.0.3"), 0);
truth.listed(book, [], [instance("10.0.0.4")], 7);
const members = membersOf([[orders, [at("10.0.0.1"), at("10.0.0.3")]]]);
const context = { truth, members, actions: { ...defaultRules.drift, NOT_READY: "deprioritise" }, now: 10 } as const;

const observations: readonly DriftObservation[] = [
  {
    service: ordersKey,
    reconciliation: reconcile(record(candidate("10.0.0.4"), candidate("10.0.0.2"), candidate("10.0.0.1")), {
      ...context,
      service: orders,
    }),
    unregistered: unregistered(ordersKey, [instance("10.0.0.1")], context),
  },
  { service: billingKey, reconciliation: reconcile(record(candidate("10.0.0.2")), { ...context, service: billing }) },
];

describe("the drift report", () => {
  it("has a row for all that is not confirmed, sorted, and counts everything", () => {
    const late = {
      registry: book,
      address: "10.0.0.2:8080",
      verdict: "NOT_READY",
      action: "deprioritise",
      since: 5,
      detail: "east/prod/b is not ready",
      workload: "east/prod/b",
    };
    expect(driftReport(observations)).toEqual({
      rows: [
        { service: billingKey, ...late },
        { service: ordersKey, ...late },
        {
          service: ordersKey,
          registry: book,
          address: "10.0.0.3:8080",
          verdict: "UNREGISTERED",
          action: "report",
          detail: "east/prod/c of cluster/east is ready, and book/a does not list it",
          workload: "east/prod/c",
        },
        {
          service: ordersKey,
          registry: book,
          address: "10.0.0.4:8080",
          verdict: "UNVERIFIABLE",
          action: "none",
          since: 7,
          detail: "no workload has 10.0.0.4 yet",
        },
      ],
      counts: [
        { service: billingKey, registry: book, verdict: "NOT_READY", count: 1 },
        { service: ordersKey, registry: book, verdict: "CONFIRMED", count: 1 },
        { service: ordersKey, registry: book, verdict: "NOT_READY", count: 1 },
        { service: ordersKey, registry: book, verdict: "UNREGISTERED", count: 1 },
        { service: ordersKey, registry: book, verdict: "UNVERIFIABLE", count: 1 },
      ],
    });
  });

  it("does not depend on the order of the records", () => {
    expect(driftReport([...observations].reverse())).toEqual(driftReport(observations));
  });

  it("has rows only for the verdicts that are asked for, and counts all the same", () => {
    const { rows, counts } = driftReport(observations, (verdict) => verdict === "CONFIRMED");
    expect(rows.map(({ address, verdict }) => [address, verdict])).toEqual([["10.0.0.1:8080", "CONFIRMED"]]);
    expect(counts).toHaveLength(5);
  });
});
