import { route } from "../route.ts";
import type { Route } from "../route.ts";
import type { schemas } from "../schemas.ts";
import type { z } from "zod";

/** The description of the API itself. */
export const documentRoutes: readonly Route[] = [
  route({
    method: "GET",
    path: "/v1/openapi.json",
    operation: "getDocument",
    summary: "This document.",
    query: {},
    answer: "Document",
    refuses: [],
    handle: (_, { document }) => document() as z.input<typeof schemas.Document>,
  }),
];
