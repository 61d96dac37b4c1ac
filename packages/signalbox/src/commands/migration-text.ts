import type { AnswerOf } from "@signalbox/api";
import { printable, table } from "./table.ts";

type Migration = AnswerOf<"Migration">;

/** A migration report for people: what blocks first, then what differs. */
export function migrationText(report: Migration): string {
  const { blockers, labelDeltas, onlyInFrom, onlyInTo, portDeltas, protocolDeltas, ready, spread } = report;
  const only = [
    ...onlyInFrom.map((row) => [report.from, row.address, row.registry, row.verdict ?? "", row.outcome]),
    ...onlyInTo.map((row) => [report.to, row.address, row.registry, row.verdict ?? "", row.outcome]),
  ];
  const differing = [
    ...portDeltas.map(({ from, number, to }) => [`port ${number}`, from ?? "-", to ?? "-"]),
    ...protocolDeltas.map(({ from, number, to }) => [`protocol of port ${number}`, from, to]),
    ...labelDeltas.map(({ address, from, label, to }) => [`${address} ${label}`, from ?? "-", to ?? "-"]),
  ];
  const spreads = (["version", "zone"] as const).flatMap((name) =>
    spread[name]
      .filter(({ from, to }) => from !== to)
      .map(({ from, to, value }) => [`${name} ${value === "" ? "(unknown)" : value}`, String(from), String(to)]),
  );
  return [
    printable(`${report.service} from ${report.from} to ${report.to}: ${ready ? "ready" : "not ready"}`) + "\n",
    factText(report),
    section(
      ["BLOCKER", "WHY"],
      blockers.map(({ code, detail }) => [code, detail]),
    ),
    section(["ONLY IN", "ADDRESS", "REGISTRY", "VERDICT", "OUTCOME"], only),
    section(["DIFFERENT", "FROM", "TO"], differing),
    section(["ENDPOINTS", "FROM", "TO"], spreads),
  ].join("");
}

function factText({ onlyInFrom, onlyInTo, parity, ramp, secondsInParity, shared }: Migration): string {
  const all = shared + onlyInFrom.length + onlyInTo.length;
  // Rounded down: what is not whole must not read so.
  const percent = Math.floor(parity * 1000) / 10;
  const weights = Object.entries(ramp?.weights ?? {}).map(([registry, weight]) => `${registry} ${weight}`);
  const step = ramp?.nextStepAt === undefined ? "" : `; next step at ${new Date(ramp.nextStepAt).toISOString()}`;
  return table([
    [
      "  parity",
      `${percent} % (${shared} of ${all} endpoints)${secondsInParity > 0 ? `, for ${secondsInParity} s` : ""}`,
    ],
    ...(ramp ? [["  ramp", `${ramp.state}: ${weights.join(", ")}${step}`]] : []),
    ...(ramp?.detail === undefined ? [] : [["", ramp.detail]]),
  ]);
}

function section(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return rows.length === 0 ? "" : `\n${table([head, ...rows])}`;
}
