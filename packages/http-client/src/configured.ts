import { resolve } from "node:path";
import type { HttpTls, PemSource } from "./http-client.ts";

/** TLS as it stands in a checked configuration, where a part that is not given may be `undefined`. */
export type ConfiguredTls = { readonly [Part in keyof HttpTls]: HttpTls[Part] | undefined };

/** A source of PEM text or of a secret whose file, if it is one, is looked for in `baseDir`. */
export function sourceIn<Source extends object>(source: Source | { readonly file: string }, baseDir: string) {
  return "file" in source ? { file: resolve(baseDir, source.file) } : source;
}

/** The TLS options of a configuration whose relative files start from `baseDir`. */
export function tlsIn(tls: ConfiguredTls, baseDir: string): HttpTls {
  const { ca, cert, insecureSkipVerify = false, key, serverName } = tls;
  const at = (source: PemSource): PemSource => sourceIn(source, baseDir);
  return {
    insecureSkipVerify,
    ...(ca && { ca: at(ca) }),
    ...(cert && { cert: at(cert) }),
    ...(key && { key: at(key) }),
    ...(serverName !== undefined && { serverName }),
  };
}
