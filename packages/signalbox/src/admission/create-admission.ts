import { resolve } from "node:path";
import { pathOf, type SignalboxConfig } from "../config/schema.ts";
import type { StageContext } from "../discovery.ts";
import { createAdmissionServer, type AdmissionServer } from "./admission-server.ts";

/** The webhook that the configuration describes; undefined where it has none. */
export function createAdmission(
  settings: SignalboxConfig["admission"],
  { baseDir, logger, metrics }: Pick<StageContext, "baseDir" | "logger" | "metrics">,
): AdmissionServer | undefined {
  if (settings === undefined) return undefined;
  const { host, port, tls } = settings;
  return createAdmissionServer({
    host,
    port,
    certFile: resolve(baseDir, pathOf(tls.cert)),
    keyFile: resolve(baseDir, pathOf(tls.key)),
    logger,
    onReviewed: (result) => metrics.admissionReviewed(result),
  });
}
