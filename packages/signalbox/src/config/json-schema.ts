import { z } from "zod";
import { configSchema } from "./schema.ts";

/** The JSON Schema (2020-12) of the configuration file, as editors use it. */
export function configJsonSchema(): object {
  return {
    ...z.toJSONSchema(configSchema, { io: "input" }),
    title: "Signalbox configuration",
  };
}
