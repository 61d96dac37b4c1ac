import type { Clock, Logger } from "@signalbox/registry";
import { secretKeys, type PublishedSecrets, type SecretSource } from "@signalbox/xds";
import { loadKubernetesSecrets } from "../builtin.ts";
import type { SignalboxConfig } from "../config/schema.ts";
import { provenNamespaces, saidNamespace } from "../namespace-check.ts";
import { fileSecrets } from "./file-secrets.ts";

/** What secrets are read with. */
export interface SecretsContext {
  /** Folder that relative paths start from. */
  readonly baseDir: string;
  readonly logger: Logger;
  readonly clock: Clock;
}

/**
 * The secrets that the configuration names, and who may have them: a router that says a namespace, and proves it by a certificate; or any
 * that says one, where the configuration is content with that.
 */
export function publishedSecrets(
  config: NonNullable<SignalboxConfig["secrets"]>,
  context: SecretsContext,
): PublishedSecrets {
  return {
    source: sourceOf(config, context),
    mayHave: (node, { identities }) => {
      const namespace = saidNamespace(node);
      return namespace !== "" && (config.insecure || provenNamespaces(identities).includes(namespace));
    },
  };
}

function sourceOf(
  { files, kubernetes }: NonNullable<SignalboxConfig["secrets"]>,
  { baseDir, clock, logger }: SecretsContext,
): SecretSource {
  if (files !== undefined) return fileSecrets(files, baseDir, logger);
  return {
    run: async (push, signal) => {
      const { followSecrets, parseSecretsConfig } = await loadKubernetesSecrets();
      const config = parseSecretsConfig(kubernetes ?? {});
      await followSecrets({ config, keys: secretKeys, baseDir, clock, logger, push, signal });
    },
  };
}
