import type { Catalog, CatalogDelta, Revision } from "@signalbox/model";

/** What happened to the catalog. */
export type ChangeEvent =
  | { readonly v: 1; readonly type: "snapshot"; readonly catalog: Catalog }
  /** `previous` lets a consumer prove it missed nothing; a bus may coalesce deltas but never leave a gap. */
  | {
      readonly v: 1;
      readonly type: "delta";
      readonly previous: Revision;
      readonly revision: Revision;
      readonly delta: CatalogDelta;
    };
