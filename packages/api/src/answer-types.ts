import type { z } from "zod";
import type { SchemaName, schemas } from "./schemas.ts";

/** What the API answers with, by the name of the schema in its document; for clients. */
export type AnswerOf<Name extends SchemaName> = z.output<(typeof schemas)[Name]>;
