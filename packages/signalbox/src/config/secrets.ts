import { ConfigError, type ConfigFault } from "@signalbox/registry";
import { loadKubernetesSecrets } from "../builtin.ts";
import type { SignalboxConfig } from "./schema.ts";

/** What is wrong with the part of `secrets` that an adapter reads. */
export async function secretsFaults(secrets: SignalboxConfig["secrets"]): Promise<readonly ConfigFault[]> {
  if (secrets?.kubernetes === undefined) return [];
  const { parseSecretsConfig } = await loadKubernetesSecrets();
  try {
    parseSecretsConfig(secrets.kubernetes);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.faults.map((fault) => ({ ...fault, path: ["secrets", "kubernetes", ...fault.path] }));
  }
}
