import { join, relative, resolve, sep } from "node:path";
import { watchDocuments } from "@signalbox/files";
import type { Logger } from "@signalbox/registry";
import { secretKeys, type FoundSecret, type SecretSource } from "@signalbox/xds";

/** Secrets are small; whatever is larger is a mistake. */
const maxBytes = 1024 * 1024;

/**
 * Secrets from files, `<dir>/<namespace>/<name>/<key>`, as Kubernetes mounts Secrets. Files are followed; those of one secret that change
 * together are told together, as a mounted Secret's do.
 */
export function fileSecrets(dir: string, baseDir: string, logger: Logger): SecretSource {
  const root = resolve(baseDir, dir);
  return {
    run: (push, signal) => {
      const secrets = new Map<string, Map<string, string>>();
      const failing = new Map<string, string>();
      return watchDocuments({
        paths: [`*/*/{${secretKeys.join(",")}}`],
        baseDir: root,
        maxBytes,
        signal,
        logger,
        onChange: ({ changed, failures, removed }) => {
          const touched = new Set<string>();
          for (const path of removed) {
            const { key, secret } = placeIn(root, path);
            secrets.get(secret)?.delete(key);
            touched.add(secret);
          }
          for (const { path, text } of changed) {
            const { key, secret } = placeIn(root, path);
            secrets.set(secret, (secrets.get(secret) ?? new Map<string, string>()).set(key, text));
            touched.add(secret);
          }
          reportFailures(failures, failing, logger);
          push(new Map([...touched].map((secret) => [secret, found(join(root, secret), secrets.get(secret))])));
        },
      });
    },
  };
}

function placeIn(root: string, path: string): { readonly secret: string; readonly key: string } {
  const [namespace = "", name = "", key = ""] = relative(root, path).split(sep);
  return { secret: `${namespace}/${name}`, key };
}

function found(origin: string, parts: ReadonlyMap<string, string> | undefined): FoundSecret | undefined {
  return parts === undefined || parts.size === 0 ? undefined : { parts: Object.fromEntries(parts), origin };
}

/** Tells each failure once, and again only after it passed. */
function reportFailures(
  failures: readonly { readonly path: string; readonly message: string }[],
  failing: Map<string, string>,
  logger: Logger,
): void {
  const now = new Map(failures.map(({ path, message }) => [path, message]));
  for (const path of [...failing.keys()]) {
    if (now.has(path)) continue;
    failing.delete(path);
    logger.info("secrets-readable", { origin: path });
  }
  for (const [path, reason] of now) {
    if (failing.get(path) !== reason) logger.warn("secrets-unreadable", { origin: path, reason });
    failing.set(path, reason);
  }
}
