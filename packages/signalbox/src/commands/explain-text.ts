import type { AnswerOf } from "@signalbox/api";
import { printable, table } from "./table.ts";

type Candidate = AnswerOf<"Candidate">;
type ServiceExplanation = AnswerOf<"ServiceExplanation">;
type AddressExplanation = AnswerOf<"AddressExplanation">;

/** Why a service is as it is, for people. */
export function explanationText(explanation: ServiceExplanation): string {
  const { aliases, candidates, conflicts, departures, identities, lints, merge, service, unserved = {} } = explanation;
  const lines = [
    ...identities.map(({ name, registry, rule }) => [
      "  from",
      `${registry}: ${name}${rule === undefined ? "" : ` (identity rule ${rule})`}`,
    ]),
    ["  merge", mergeText(merge)],
    ...Object.entries(unserved).map(([port, part]) => ["  fails", `${part / 10_000} % of ${port}`]),
    ...(aliases.length === 0 ? [] : [["  also", aliases.join(", ")]]),
  ];
  const counts = candidates.length === 0 ? "No registry tells of an endpoint.\n" : candidateTable(candidates);
  const conflictRows = conflicts.map(({ dropped, field, kept }) => [
    field,
    `${kept.registry}: ${valueText(kept.value)}`,
    `${dropped.registry}: ${valueText(dropped.value)}`,
  ]);
  return [
    `${printable(service)}\n${table(lines)}`,
    counts,
    ...(conflicts.length === 0 ? [] : [table([["CONFLICT", "KEPT", "DROPPED"], ...conflictRows])]),
    ...(lints.length === 0
      ? []
      : [table([["NOTE", "WHY"], ...lints.map(({ code, detail }): [string, string] => [code, detail])])]),
    ...(departures.length === 0 ? [] : [departureTable(departures)]),
  ].join("\n");
}

/** What became of one address, for people. */
export function addressText({ address, candidates, departures, found, hints, service }: AddressExplanation): string {
  const parts = [
    found
      ? candidateTable(candidates)
      : printable(`No registry tells of ${address} in ${service}.${departures.length === 0 ? "" : " It left."}`) + "\n",
    ...(departures.length === 0 ? [] : [departureTable(departures)]),
    ...(hints.services.length === 0 ? [] : [listText("Other services with this address:", hints.services)]),
    ...(hints.addresses.length === 0 ? [] : [listText("Nearly the same address:", hints.addresses)]),
  ];
  return parts.join("\n");
}

function candidateTable(candidates: readonly Candidate[]): string {
  const rows = candidates.map(({ address, findings, outcome, registry, reported, served, servicePort }) => [
    servicePort,
    address,
    registry,
    outcome.code,
    outcome.stage,
    stateText(reported, served),
    findings.map(({ code }) => code).join(" "),
    outcome.detail,
  ]);
  return table([["PORT", "ADDRESS", "REGISTRY", "OUTCOME", "STAGE", "STATE", "FOUND", "WHY"], ...rows]);
}

/** What clients are told, and what the registry said where that differs. */
function stateText(reported: Candidate["reported"], served: Candidate["served"]): string {
  const text = ({ healthStatus, weight }: Candidate["reported"]) => `${healthStatus} weight ${weight}`;
  if (served === undefined) return `not served (${text(reported)})`;
  const priority = served.priority === 0 ? "" : ` priority ${served.priority}`;
  const was = text(served) === text(reported) ? "" : ` (was ${text(reported)})`;
  return `${text(served)}${priority}${was}`;
}

function departureTable(departures: ServiceExplanation["departures"]): string {
  const rows = departures.map(({ address, at, registry, servicePort }) => [
    servicePort,
    address,
    registry,
    new Date(at).toISOString(),
  ]);
  return table([["PORT", "DEPARTED", "REGISTRY", "AT"], ...rows]);
}

function mergeText(merge: ServiceExplanation["merge"]): string {
  switch (merge.type) {
    case "union":
      return "union";
    case "prefer":
    case "failover":
      return `${merge.type} ${merge.order.join(", ")}`;
    case "split":
      return `split ${merge.shares.map(({ registry, weight }) => `${registry} ${weight}`).join(", ")}; on empty ${merge.onEmpty}`;
    case "authoritative":
      return `authoritative ${merge.registry}`;
  }
}

function valueText(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}

function listText(title: string, items: readonly string[]): string {
  return `${title}\n${items.map((item) => `  ${printable(item)}\n`).join("")}`;
}
