import type { Credential } from "../gateway/secrets.ts";

/** A secret as its source has it. */
export interface FoundSecret {
  /** What it holds under each of the `secretKeys` that it has. */
  readonly parts: Readonly<Record<string, string>>;
  /** Where it is, for people: a folder, or an object of a cluster. */
  readonly origin: string;
}

/** What changed at a source, by `<namespace>/<name>`. Undefined: it is gone. */
export type FoundSecrets = ReadonlyMap<string, FoundSecret | undefined>;

/** Where secrets come from. */
export interface SecretSource {
  /**
   * Tells what there is, and every change, until the signal aborts; then resolves. What cannot be read now is not told: what was told
   * before stays. Secrets go nowhere but to `push`: not into errors, and not into logs.
   */
  run(push: (changes: FoundSecrets) => void, signal: AbortSignal): Promise<void>;
}

/** The keys of secrets that Istio reads: its older ones, and those of Kubernetes. A source need not keep anything else. */
export const secretKeys: readonly string[] = [
  ...["cert", "key", "cacert", "crl"],
  ...["tls.crt", "tls.key", "ca.crt", "ca.crl"],
];

/** What these parts are. Where there are both kinds of keys, the older ones win, as in Istio. */
export function credentialOf(parts: FoundSecret["parts"]): Credential {
  const part = (key: string) => parts[key] ?? "";
  const older = part("cert") !== "" && part("key") !== "";
  const ca = part("cacert") || part("ca.crt");
  const crl = part("cacert") === "" ? part("ca.crl") : part("crl");
  const own = older ? [part("cert"), part("key")] : [part("tls.crt"), part("tls.key")];
  const [certificate = "", privateKey = ""] = own;
  return {
    ...(certificate === "" ? {} : { certificate }),
    ...(privateKey === "" ? {} : { privateKey }),
    ...(ca === "" ? {} : { ca }),
    ...(crl === "" ? {} : { crl }),
  };
}
