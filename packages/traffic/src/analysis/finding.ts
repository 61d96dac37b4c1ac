import { byCodeUnit } from "@signalbox/model";

/** What the codes mean: those of Istio's analyzers. */
export const findingLevels = {
  /** Something that an object names is not there. */
  IST0101: "error",
  /** VirtualServices for calls within the mesh have one host. */
  IST0109: "error",
  /** Sidecars select one workload. */
  IST0110: "error",
  /** Sidecars of one namespace select no workloads, so each is for all. */
  IST0111: "error",
  /** A destination with several ports is named without one. */
  IST0112: "error",
  /** A rule is never reached. */
  IST0130: "warning",
  /** A match is never reached. */
  IST0131: "info",
  /** A VirtualService has no host that its Gateway has. */
  IST0132: "warning",
  /** Gateways have one selector, port and host. */
  IST0145: "error",
  /** A Gateway's port is not a port of the service before it. */
  IST0162: "warning",
  /** A subset has no endpoints. */
  IST0173: "error",
  /** A DestinationRule is for no service. */
  IST0174: "warning",
} as const;

/** A code of Istio's analyzers that is used here. */
export type FindingCode = keyof typeof findingLevels;

/** Something that objects say together and probably do not mean. */
export interface RuleFinding {
  readonly code: FindingCode;
  readonly level: (typeof findingLevels)[FindingCode];
  /** `<kind>/<namespace>/<name>` of the object. */
  readonly object: string;
  /** Where in the object, from its root. */
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** What an analyzer says, before it is known of which object. */
export type Said = Omit<RuleFinding, "object" | "level">;

/** Findings in one order: by object, place, code and message. */
export function inOrder(findings: readonly RuleFinding[]): readonly RuleFinding[] {
  const key = ({ object, path, code, message }: RuleFinding) =>
    [
      object,
      ...path.map((part) => (typeof part === "number" ? String(part).padStart(8, "0") : part)),
      code,
      message,
    ].join("\0");
  return findings
    .map((finding) => ({ finding, key: key(finding) }))
    .sort((a, b) => byCodeUnit(a.key, b.key))
    .map(({ finding }) => finding);
}
