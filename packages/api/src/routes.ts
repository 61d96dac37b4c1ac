import type { Route } from "./route.ts";
import { documentRoutes } from "./routes/document-routes.ts";
import { driftRoutes } from "./routes/drift-routes.ts";
import { explainRoutes } from "./routes/explain-routes.ts";
import { guardRoutes } from "./routes/guard-routes.ts";
import { journalRoutes } from "./routes/journal-routes.ts";
import { migrationRoutes } from "./routes/migration-routes.ts";
import { overrideRoutes } from "./routes/override-routes.ts";
import { serviceRoutes } from "./routes/service-routes.ts";
import { sourceRoutes } from "./routes/source-routes.ts";
import { withdrawalRoutes } from "./routes/withdrawal-routes.ts";

/** Every route of the API. The server and the document are both made of this table. */
export const routes: readonly Route[] = [
  ...serviceRoutes,
  ...sourceRoutes,
  ...driftRoutes,
  ...guardRoutes,
  ...withdrawalRoutes,
  ...overrideRoutes,
  ...migrationRoutes,
  ...explainRoutes,
  ...journalRoutes,
  ...documentRoutes,
];
