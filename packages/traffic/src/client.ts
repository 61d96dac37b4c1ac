import type { Labels, Locality } from "@signalbox/model";

/** What of a client decides which rules it gets. */
export interface Client {
  readonly namespace: string;
  readonly labels: Labels;
  readonly locality: Locality;
  /** A router takes its rules from Gateways. */
  readonly kind: "mesh" | "router";
}

/** The client in no namespace, without labels and locality: it gets the rules that are for all. */
export const anyClient: Client = {
  namespace: "\0",
  labels: {},
  locality: { region: "", zone: "", subzone: "" },
  kind: "mesh",
};
