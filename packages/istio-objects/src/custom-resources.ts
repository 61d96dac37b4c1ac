import { istioKinds, type IstioKind, type PrinterColumn } from "./istio-kinds.ts";
import type { ReadSchema } from "./proto-json.ts";

/** A definition as `kubectl apply` takes it (`apiextensions.k8s.io/v1`). */
export interface CustomResourceDefinition {
  readonly apiVersion: "apiextensions.k8s.io/v1";
  readonly kind: "CustomResourceDefinition";
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly group: string;
    readonly names: {
      readonly kind: string;
      readonly listKind: string;
      readonly plural: string;
      readonly singular: string;
      readonly shortNames?: readonly string[];
      readonly categories: readonly string[];
    };
    readonly scope: "Namespaced";
    readonly versions: readonly CustomResourceVersion[];
  };
}

/** One version of a definition. */
export interface CustomResourceVersion {
  readonly name: string;
  readonly served: boolean;
  readonly storage: boolean;
  readonly schema: { readonly openAPIV3Schema: ReadSchema };
  readonly subresources: { readonly status: Readonly<Record<string, never>> };
  readonly additionalPrinterColumns: readonly PrinterColumn[];
}

const age: PrinterColumn = {
  name: "Age",
  type: "date",
  jsonPath: ".metadata.creationTimestamp",
  description: "Since when the object is there.",
};

/**
 * Definitions of all kinds that are read here, for a cluster without Istio. Their schemas are what the readers of this package say of
 * themselves. In a cluster with Istio they are not needed: its own have the same groups, names and versions.
 */
export function customResourceDefinitions(): readonly CustomResourceDefinition[] {
  return istioKinds.map(definitionOf);
}

function definitionOf(kind: IstioKind): CustomResourceDefinition {
  const { group, plural, shortNames, versions, storage, columns } = kind;
  const schema = objectSchema(kind);
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: {
      group,
      names: {
        kind: kind.kind,
        listKind: `${kind.kind}List`,
        plural,
        singular: kind.kind.toLowerCase(),
        ...(shortNames.length === 0 ? {} : { shortNames }),
        categories: ["istio-io", group.replaceAll(".", "-")],
      },
      scope: "Namespaced",
      versions: versions.map((name) => ({
        name,
        served: true,
        storage: name === storage,
        schema: { openAPIV3Schema: schema },
        subresources: { status: {} },
        additionalPrinterColumns: [...columns, age],
      })),
    },
  };
}

/** What controllers write into `status` is theirs alone. */
function objectSchema({ needsSpec, read }: IstioKind): ReadSchema {
  const status = { type: "object", "x-kubernetes-preserve-unknown-fields": true } as const;
  return { type: "object", properties: { spec: read.schema, status }, ...(needsSpec ? { required: ["spec"] } : {}) };
}
