import { createRegistry, type Registry } from "@bufbuild/protobuf";
import { files } from "./gen/files.ts";

/** Every generated message by its type name: give it to `toJson` and `fromJson`, so that `google.protobuf.Any` is readable. */
export const anyRegistry: Registry = createRegistry(...files);
